//! Step 2, at the balance service: the money moves, once, and a step row says so.

use crate::balance::{self, BookingAmount, BookingError, LockedBooks};
use crate::batch::LockWait;
use crate::intents::{BookingIntent, BookingResult, BookingResultRow};
use crate::metrics::METRICS;
use crate::saga::BookingSaga;
use crate::transaction::Transaction;
use crate::unit_of_work::UnitOfWork;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Changes that a batch makes to the balance's tables.
#[derive(Default)]
struct BalanceStepChanges {
    /// One per intent; `None` waits for a person: its money isn't there.
    done: Vec<Option<BookingResult>>,
    fresh: Vec<BookingResultRow>,
    replaced: Vec<BookingResultRow>,
}

impl BookingSaga {
    /// Books the intents, in this order, in one transaction of the balance service.
    /// A booking made before answers with its result; `None` is a booking that must
    /// not be refused and can't be made: it stays open, and those behind it with it.
    ///
    /// # Errors
    /// The server's; nothing is known then, and the call may be repeated.
    pub async fn book(
        &self,
        intents: &[BookingIntent],
        wait: LockWait,
    ) -> anyhow::Result<Vec<Option<BookingResult>>> {
        let mut conn = self.balance.get_conn().await?;
        let all: Vec<&BookingIntent> = intents.iter().collect();
        let mut transaction = Transaction::begin(&mut conn).await?;
        let accounts: BTreeSet<&str> = intents
            .iter()
            .map(|i| i.posting.account_id.as_str())
            .collect();
        let lock_sql = wait.of(balance::repo::lock_sql(&self.schemas, accounts.into_iter()));
        let locked = balance::repo::from_locked_rows(transaction.conn().query(lock_sql).await?)?;
        let payments = intents.iter().filter_map(BookingIntent::payment).collect();
        let captures =
            balance::repo::lock_captures(transaction.conn(), &self.schemas, &payments, wait)
                .await?;
        let steps = crate::intents::repo::lock_steps(transaction.conn(), &all).await?;

        let mut books = LockedBooks::new(locked, captures);
        let outcome = decide(intents, steps, &mut books);
        if outcome.fresh.is_empty() && outcome.replaced.is_empty() {
            transaction.roll_back().await?;
            return Ok(outcome.done);
        }
        let (balances, captures) = books.touched();
        let unit_of_work = UnitOfWork {
            balances: balances.iter().collect(),
            captures: captures.iter().collect(),
            steps: outcome.fresh,
            replaced_steps: outcome.replaced,
            drop_outbox_row: true,
            ..UnitOfWork::default()
        };
        unit_of_work
            .commit(transaction, &self.schemas, self.key(), now_us())
            .await?;
        Ok(outcome.done)
    }
}

impl BookingIntent {
    /// Names the change of the account's balance and of the payment.
    fn sum(&self) -> BookingAmount<'_> {
        let payment_no = self.payment_no.as_deref();
        BookingAmount {
            counterparty: self.counterparty.as_deref(),
            unknown_payer_ok: self.unknown_payer_ok,
            ..self.posting.sum(self.kind, payment_no)
        }
    }

    /// The captured payment that is made or changed: account and number.
    fn payment(&self) -> Option<(&str, &str)> {
        Some((&self.posting.account_id, self.payment_no.as_deref()?))
    }
}

fn decide(
    intents: &[BookingIntent],
    steps: Vec<BookingResultRow>,
    books: &mut LockedBooks,
) -> BalanceStepChanges {
    let mut known: BTreeMap<(String, String), (BookingResultRow, bool)> = steps
        .into_iter()
        .map(|s| ((s.account_id.clone(), s.posting_id.clone()), (s, true)))
        .collect();
    let mut out = BalanceStepChanges::default();
    let mut stuck: HashSet<&str> = HashSet::new();
    for intent in intents {
        let p = &intent.posting;
        let key = (p.account_id.clone(), p.posting_id.clone());
        let (before, stored) = known
            .get(&key)
            .map_or((None, false), |(step, stored)| (Some(step), *stored));
        if let Some(done) = before.and_then(|step| answer(step, intent)) {
            out.done.push(Some(done));
            continue;
        }
        if stuck.contains(intent.order_id.as_str()) {
            out.done.push(None);
            continue;
        }
        let booked = books.book(p.kind, &intent.sum());
        let done = match booked {
            Ok(()) => BookingResult::Booked,
            Err(error) if intent.is_refusable() => BookingResult::Refused(error),
            Err(error) => {
                METRICS.saga.failures.with_label_values(&["balance"]).inc();
                tracing::error!(account = %p.account_id, posting = %p.posting_id,
                    "{error}: the books were changed by somebody else; the booking waits for a person");
                stuck.insert(&intent.order_id);
                out.done.push(None);
                continue;
            }
        };
        let step = BookingResultRow {
            account_id: p.account_id.clone(),
            posting_id: p.posting_id.clone(),
            order_id: intent.order_id.clone(),
            done,
        };
        if stored {
            &mut out.replaced
        } else {
            &mut out.fresh
        }
        .push(step.clone());
        known.insert(key, (step, stored));
        out.done.push(Some(done));
    }
    out
}

/// Answers from an earlier booking of the same posting; `None`: this one is made.
fn answer(step: &BookingResultRow, intent: &BookingIntent) -> Option<BookingResult> {
    match step.done {
        done if step.order_id == intent.order_id => Some(done),
        // The same payment under another key: it is booked once, for the other.
        BookingResult::Booked => Some(BookingResult::Refused(BookingError::AlreadyBooked)),
        // A refusal stands for the request that got it. A later one (ids are ordered
        // by time) asks anew; a driver that comes after it has nothing to book.
        refused @ BookingResult::Refused(_) => (step.order_id > intent.order_id).then_some(refused),
    }
}

#[cfg(test)]
#[path = "balance_step_tests.rs"]
mod tests;
