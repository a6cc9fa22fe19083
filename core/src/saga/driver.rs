//! Drives intents through their steps. Every step may run again, so whatever fails
//! in passing is simply begun anew at the balance.
//!
//! | step | server | statements | round trips |
//! |---|---|---|---|
//! | balance | balance | begin; balances, payments, results FOR UPDATE; writes | 4 or 5 |
//! | ledger | ledger | begin with the accounts' locks; INSERT entries, commit, free the locks | 2 |
//! | orders | orders | DELETE intents; with orders to move: begin, locks, writes | 1, or 3 to 4 |
//!
//! Writes and their COMMIT are one packet.

use crate::batch::{
    self, AccountTransaction, BatchFailure, BatchTransaction, FailureClass, FollowUp, LockWait,
    LockedAccounts, RetryPolicy, SpoiledItem,
};
use crate::intents::{BookingIntent, BookingResult, repo};
use crate::metrics::METRICS;
use crate::orders::OrderRef;
use crate::saga::BookingSaga;
use crate::unit_of_work::open_case;
use anyhow::anyhow;

/// An intent and what became of it; `None` waits for a person.
pub type DrivenIntent = (BookingIntent, Option<BookingResult>);

impl BookingSaga {
    /// Drives the intents to their end, earlier bookings of an order before later ones.
    ///
    /// # Errors
    /// A service that can't be reached or refuses: the intents stay open, and a later
    /// drive of the same ones finds out how far this one came.
    pub async fn drive(
        &self,
        mut intents: Vec<BookingIntent>,
    ) -> anyhow::Result<Vec<DrivenIntent>> {
        // Another driver was quicker: the servers know no empty list.
        if intents.is_empty() {
            return Ok(Vec::new());
        }
        intents.sort_by_key(BookingIntent::rank);
        let mut driven = DrivenBatch {
            saga: self,
            step: SagaStep::Balance,
            lock_wait: LockWait::Usual,
            failure: None,
        };
        let done = batch::run_beside_locked(&mut driven, &intents).await;
        match driven.failure {
            Some(error) => Err(error.context(format!("{} bookings", intents.len()))),
            None => Ok(intents.into_iter().zip(done).collect()),
        }
    }

    /// Reads the open intents of these orders and bookings. One that can't be read becomes a
    /// case; the others go on.
    ///
    /// # Errors
    /// The orders' server.
    pub async fn open_of(&self, at: &[OrderRef]) -> anyhow::Result<Vec<BookingIntent>> {
        let mut conn = self.orders.get_conn().await?;
        let open = repo::of_orders(&mut conn, at, self.keys()).await?;
        drop(conn);
        for case in open.unreadable {
            open_case(&self.orders, &self.schemas, self.key(), case).await?;
        }
        Ok(open.genuine)
    }
}

/// Step of the saga that a drive is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SagaStep {
    Balance,
    Ledger,
    Orders,
}

impl SagaStep {
    fn as_str(self) -> &'static str {
        match self {
            SagaStep::Balance => "balance",
            SagaStep::Ledger => "ledger",
            SagaStep::Orders => "orders",
        }
    }
}

/// Intents that are driven together.
struct DrivenBatch<'a> {
    saga: &'a BookingSaga,
    step: SagaStep,
    /// Patience of the next try with locks.
    lock_wait: LockWait,
    /// Of a server, not of one account or booking.
    failure: Option<anyhow::Error>,
}

impl BatchTransaction for DrivenBatch<'_> {
    type Item = BookingIntent;
    type Done = Option<BookingResult>;

    fn policy(&self) -> &'static RetryPolicy {
        &batch::policy::SAGA
    }

    async fn attempt(
        &mut self,
        intents: &[BookingIntent],
    ) -> anyhow::Result<Vec<Option<BookingResult>>> {
        self.step = SagaStep::Balance;
        let done = self.saga.book(intents, self.lock_wait).await?;
        self.step = SagaStep::Ledger;
        self.saga.post(intents, &done, self.lock_wait).await?;
        self.step = SagaStep::Orders;
        self.saga.close(intents, &done).await?;
        Ok(done)
    }

    /// Leaves the connections to their pools, which have them back already.
    async fn reset(&mut self, _: &anyhow::Error) {}

    fn follow_up(&mut self, error: &anyhow::Error, attempt: u32) -> FollowUp {
        let next = match FailureClass::of(error) {
            // Another driver made a row first: the next try finds it.
            FailureClass::Locked => self.lock_wait.follow_up(error, self.policy(), attempt),
            FailureClass::Conflict | FailureClass::Duplicate => {
                FollowUp::Retry(self.policy().after_conflict(attempt))
            }
            FailureClass::Disconnected => FollowUp::Retry(self.policy().after_disconnect(attempt)),
            FailureClass::Refused | FailureClass::Internal => FollowUp::Isolate,
        };
        tracing::debug!(
            attempt,
            at = self.step.as_str(),
            "bookings were not driven to their end: {error:#}"
        );
        next
    }

    async fn spoiled(
        &mut self,
        intent: &BookingIntent,
        failure: BatchFailure,
    ) -> SpoiledItem<Option<BookingResult>> {
        let error = self.give_up(&failure);
        tracing::error!(account = %intent.posting.account_id, saga = %intent.posting.posting_id, "{error:#}");
        SpoiledItem::Answer(None)
    }
}

impl AccountTransaction for DrivenBatch<'_> {
    fn account(intent: &BookingIntent) -> &str {
        &intent.posting.account_id
    }

    fn locked_accounts(&self) -> &LockedAccounts {
        &self.saga.locked
    }

    fn set_lock_wait(&mut self, wait: LockWait) {
        self.lock_wait = wait;
    }

    /// Leaves the booking open: a later drive makes it.
    fn refuse(&mut self, _: &BookingIntent, failure: &BatchFailure) -> Option<BookingResult> {
        let is_locked = FailureClass::of(&failure.error) == FailureClass::Locked;
        if !is_locked && self.failure.is_none() {
            self.failure = Some(self.give_up(failure));
        }
        None
    }
}

impl DrivenBatch<'_> {
    /// Counts the failure; a server that doesn't answer counts as away. One whose
    /// transactions conflict is there: only these bookings have to wait.
    fn give_up(&self, failure: &BatchFailure) -> anyhow::Error {
        let step = self.step.as_str();
        METRICS.saga.failures.with_label_values(&[step]).inc();
        let is_gone = FailureClass::of(&failure.error) == FailureClass::Disconnected;
        if self.step != SagaStep::Orders && is_gone {
            self.saga.set_away(true);
        }
        anyhow!("waits at the step of {step}: {:#}", failure.error)
    }
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
