//! Step 2, at the balance service: the money moves, once, and a step row says so.

use super::{Done, Intent, Saga, Step};
use crate::balance::{self, BookError, Books};
use crate::journal::Journal;
use crate::metrics::METRICS;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// What a batch does to the balance's tables.
#[derive(Default)]
struct Outcome {
    /// One per intent; `None` waits for a person: its money isn't there.
    done: Vec<Option<Done>>,
    fresh: Vec<Step>,
    replaced: Vec<Step>,
}

impl Saga {
    /// Books the intents, in this order, in one transaction of the balance service.
    /// What was booked before answers with its outcome; `None` is a booking that must
    /// not be refused and can't be made: it stays open, and those behind it with it.
    ///
    /// # Errors
    /// The server's; nothing is known then, and the call may be repeated.
    pub async fn book(&self, intents: &[Intent]) -> anyhow::Result<Vec<Option<Done>>> {
        let mut conn = self.balance.get_conn().await?;
        let all: Vec<&Intent> = intents.iter().collect();
        conn.query_drop("START TRANSACTION").await?;
        let accounts: BTreeSet<&str> = intents
            .iter()
            .map(|i| i.posting.account_id.as_str())
            .collect();
        let rows = conn
            .query(balance::repo::lock_sql(&self.schemas, accounts.into_iter()))
            .await?;
        let locked = balance::repo::from_rows(rows)?;
        let payments = intents.iter().filter_map(Intent::payment).collect();
        let captures = balance::repo::lock_captures(&mut conn, &self.schemas, &payments).await?;
        let steps = super::repo::lock_steps(&mut conn, &all).await?;

        let mut books = Books::new(locked, captures);
        let outcome = decide(intents, steps, &mut books);
        if outcome.fresh.is_empty() && outcome.replaced.is_empty() {
            conn.query_drop("ROLLBACK").await?;
            return Ok(outcome.done);
        }
        let (balances, captures) = books.touched();
        let journal = Journal {
            balances: balances.iter().collect(),
            captures: captures.iter().collect(),
            steps: outcome.fresh,
            replaced_steps: outcome.replaced,
            elsewhere: true,
            ..Journal::default()
        };
        conn.query_drop(journal.commit_sql(&self.schemas, &self.key, now_us())?)
            .await?;
        Ok(outcome.done)
    }
}

impl Intent {
    /// The captured payment that is made or changed: account and number.
    fn payment(&self) -> Option<(&str, &str)> {
        Some((&self.posting.account_id, self.payment_no.as_deref()?))
    }
}

fn decide(intents: &[Intent], steps: Vec<Step>, books: &mut Books) -> Outcome {
    let mut known: BTreeMap<(String, String), (Step, bool)> = steps
        .into_iter()
        .map(|s| ((s.account_id.clone(), s.posting_id.clone()), (s, true)))
        .collect();
    let mut out = Outcome::default();
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
        let booked = books.book(p.kind, &p.sum(intent.kind, intent.payment_no.as_deref()));
        let done = match booked {
            Ok(()) => Done::Booked,
            Err(error) if intent.is_asking() => Done::Refused(error),
            Err(error) => {
                METRICS.saga.failures.with_label_values(&["balance"]).inc();
                tracing::error!(account = %p.account_id, posting = %p.posting_id,
                    "{error}: the books were changed by somebody else; the booking waits for a person");
                stuck.insert(&intent.order_id);
                out.done.push(None);
                continue;
            }
        };
        let step = Step {
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

/// What an earlier booking of the same posting means for this one; `None`: nothing.
fn answer(step: &Step, intent: &Intent) -> Option<Done> {
    match step.done {
        done if step.order_id == intent.order_id => Some(done),
        // The same payment under another key: it is booked once, for the other.
        Done::Booked => Some(Done::Refused(BookError::AlreadyBooked)),
        // A refusal stands for the request that got it. A later one (ids are ordered
        // by time) asks anew; a driver that comes after it has nothing to book.
        refused @ Done::Refused(_) => (step.order_id > intent.order_id).then_some(refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Posting;
    use rust_decimal::Decimal;
    use sluice_contract::order::Kind;

    fn deposit(order: &str, amount: i64) -> Intent {
        Intent {
            posting: Posting::deposit("A", "biz", Decimal::from(amount), "CNY".parse().unwrap()),
            order_id: order.into(),
            kind: Kind::CashOut,
            payment_no: None,
            client: "c".into(),
            key: "k".into(),
            created_us: 1,
        }
    }

    fn step(order: &str, done: Done) -> Step {
        Step {
            account_id: "A".into(),
            posting_id: "dep-biz".into(),
            order_id: order.into(),
            done,
        }
    }

    fn one(intent: Intent, before: Option<Step>) -> (Option<Done>, usize, usize, usize) {
        let mut books = Books::default();
        let out = decide(&[intent], before.into_iter().collect(), &mut books);
        (
            out.done[0],
            out.fresh.len(),
            out.replaced.len(),
            books.touched().0.len(),
        )
    }

    #[test]
    fn what_was_booked_before_answers_and_changes_nothing() {
        let refused = Done::Refused(BookError::Overflow);
        assert_eq!(one(deposit("2", 5), None), (Some(Done::Booked), 1, 0, 1));
        assert_eq!(
            one(deposit("2", 5), Some(step("2", Done::Booked))),
            (Some(Done::Booked), 0, 0, 0)
        );
        assert_eq!(
            one(deposit("2", 5), Some(step("2", refused))),
            (Some(refused), 0, 0, 0)
        );
        let other = Some(Done::Refused(BookError::AlreadyBooked));
        assert_eq!(
            one(deposit("2", 5), Some(step("1", Done::Booked))),
            (other, 0, 0, 0)
        );
        // Refused for an earlier request: asked anew. For a later one: too late.
        assert_eq!(
            one(deposit("2", 5), Some(step("1", refused))),
            (Some(Done::Booked), 0, 1, 1)
        );
        assert_eq!(
            one(deposit("2", 5), Some(step("3", refused))),
            (Some(refused), 0, 0, 0)
        );
    }

    #[test]
    fn what_must_not_be_refused_waits_and_holds_back_what_comes_after_it() {
        let intent = |kind: crate::ledger::PostingKind, id: &str| {
            let mut intent = deposit("o", 5);
            intent.posting.kind = kind;
            intent.posting.posting_id = id.into();
            intent
        };
        use crate::ledger::PostingKind::{Finalize, Return};
        let mut books = Books::default();
        let out = decide(
            &[intent(Finalize, "o-end"), intent(Return, "o-return")],
            vec![],
            &mut books,
        );
        assert_eq!(out.done, [None, None]);
        assert!(out.fresh.is_empty() && books.touched().0.is_empty());
    }
}
