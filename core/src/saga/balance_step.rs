//! Step 2, at the balance service: the money moves, once, and a step row says so.

use crate::balance::{self, BookingAmount, LockedBooks};
use crate::batch::LockWait;
use crate::cases::{OrderCase, detail};
use crate::intents::{BookingIntent, BookingResult, BookingResultRow};
use crate::ledger::{Posting, repo as ledger};
use crate::metrics::METRICS;
use crate::saga::BookingSaga;
use crate::saga::earlier_booking::{BookingNeed, EarlierBooking, ResultBreach, asks_ledger, need};
use crate::transaction::Transaction;
use crate::unit_of_work::{UnitOfWork, open_case};
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
    /// Of bookings whose results somebody else was at.
    cases: Vec<OrderCase>,
}

/// Account and posting id.
type PostingKey = (String, String);

/// Results and entries of the batch's bookings, before any is made.
#[derive(Default)]
struct EarlierBookings {
    results: BTreeMap<PostingKey, EarlierBooking>,
    /// Postings that the ledger has, among those that it was asked about.
    in_ledger: BTreeSet<PostingKey>,
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
        let earlier = self.earlier(&mut transaction, &all).await?;

        let mut books = LockedBooks::new(locked, captures);
        let may_lack = |order_id: &str| self.seals.may_lack(order_id);
        let mut outcome = decide(intents, earlier, may_lack, &mut books);
        let cases = std::mem::take(&mut outcome.cases);
        if outcome.fresh.is_empty() && outcome.replaced.is_empty() {
            transaction.roll_back().await?;
            self.open_cases(cases).await;
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
        self.open_cases(cases).await;
        Ok(outcome.done)
    }

    /// Reads what is known of the intents' bookings, locked; the ledger is asked while the
    /// balances are locked, so that nobody books the same meanwhile.
    async fn earlier(
        &self,
        transaction: &mut Transaction<'_>,
        intents: &[&BookingIntent],
    ) -> anyhow::Result<EarlierBookings> {
        let stored = crate::intents::repo::lock_steps(transaction.conn(), intents).await?;
        let mut earlier = EarlierBookings::default();
        for step in stored {
            let read = EarlierBooking::read(&step, self.seals.seal_keys())?;
            let key = (step.account_id, step.posting_id);
            earlier.results.insert(key, read);
        }
        let doubtful: Vec<&Posting> = intents
            .iter()
            .filter(|i| asks_ledger(earlier.results.get(&key_of(i)), i))
            .map(|i| &i.posting)
            .collect();
        if !doubtful.is_empty() {
            let mut conn = self.ledger.get_conn().await?;
            let there = ledger::booked(&mut conn, &self.schemas, &doubtful).await?;
            let keys = there.into_iter().map(|l| (l.account_id, l.posting_id));
            earlier.in_ledger = keys.collect();
        }
        Ok(earlier)
    }

    /// Opens the cases; what can't be written now is found again by the next drive.
    async fn open_cases(&self, cases: Vec<OrderCase>) {
        for case in cases {
            let what = case.detail.clone();
            let opened = open_case(&self.orders, &self.schemas, self.key(), case).await;
            if let Err(error) = opened {
                tracing::error!("a case can't be opened now ({what}): {error:#}");
            }
        }
    }
}

fn key_of(intent: &BookingIntent) -> PostingKey {
    let (account, posting) = intent.id();
    (account.to_owned(), posting.to_owned())
}

/// Makes the case of an intent whose earlier result somebody else was at.
fn altered_case(intent: &BookingIntent, breach: ResultBreach) -> OrderCase {
    let (account, posting) = intent.id();
    METRICS.saga.failures.with_label_values(&["balance"]).inc();
    tracing::error!(account, posting, order = %intent.order_id, "not booked: {breach}");
    OrderCase {
        account_id: account.to_owned(),
        order_id: intent.order_id.clone(),
        kind: breach.case_kind(),
        detail: detail(&format!("{posting}: {breach}")),
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
    earlier: EarlierBookings,
    may_lack: impl Fn(&str) -> bool,
    books: &mut LockedBooks,
) -> BalanceStepChanges {
    let EarlierBookings {
        results: mut known,
        in_ledger,
    } = earlier;
    let mut out = BalanceStepChanges::default();
    let mut stuck: HashSet<&str> = HashSet::new();
    for intent in intents {
        let (p, key) = (&intent.posting, key_of(intent));
        let may_lack = may_lack(&intent.order_id);
        let replaces = match need(known.get(&key), intent, in_ledger.contains(&key), may_lack) {
            BookingNeed::Answer(done) => {
                out.done.push(Some(done));
                continue;
            }
            BookingNeed::Nothing(breach) => {
                out.cases.push(altered_case(intent, breach));
                stuck.insert(&intent.order_id);
                out.done.push(None);
                continue;
            }
            BookingNeed::Book { replaces } => replaces,
        };
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
        if replaces {
            &mut out.replaced
        } else {
            &mut out.fresh
        }
        .push(step.clone());
        known.insert(key, EarlierBooking::Sealed(step));
        out.done.push(Some(done));
    }
    out
}

#[cfg(test)]
#[path = "balance_step_tests.rs"]
mod tests;
