//! Retries of a whole batch: attempt, clean up, decide what follows, pause, again.

use crate::batch::failure::DatabaseSilent;
use crate::batch::{FailureClass, RetryPolicy, SpoiledItem};
use std::future::Future;
use std::time::Duration;
use tokio::time::timeout;

/// A transaction over a batch of items. Writers implement it for a value that lives as
/// long as one batch and holds what one try learns for the next.
pub trait BatchTransaction: Send {
    type Item: Send + Sync;
    type Done: Send;

    fn policy(&self) -> &'static RetryPolicy;

    /// Begins a series of tries, over the batch or over one item alone.
    fn begin(&mut self) {}

    /// Tries once over all items, from locks to commit.
    ///
    /// # Errors
    /// The server's, or what is found in its rows; then nothing may be taken for
    /// written, nor for not written.
    fn attempt(
        &mut self,
        items: &[Self::Item],
    ) -> impl Future<Output = anyhow::Result<Vec<Self::Done>>> + Send;

    /// Leaves no transaction open behind a failed try: rolls back, or drops the
    /// connection, which the pool resets.
    fn reset(&mut self, error: &anyhow::Error) -> impl Future<Output = ()> + Send;

    /// Decides what follows try number `attempt`, counted from 0. Transient failures are
    /// tried again; every other one is some item's own fault.
    fn follow_up(&mut self, error: &anyhow::Error, attempt: u32) -> FollowUp {
        FollowUp::by_class(error, self.policy(), attempt)
    }

    /// Takes leave of an item that fails even alone: answers it, or quarantines it.
    fn spoiled(
        &mut self,
        item: &Self::Item,
        failure: BatchFailure,
    ) -> impl Future<Output = SpoiledItem<Self::Done>> + Send;
}

/// Next step after a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowUp {
    /// Try the same items again after this pause.
    Retry(Duration),
    /// Trying again changes nothing: find the item that spoils the batch.
    Isolate,
    /// Trying again changes nothing, and no item is to blame.
    GiveUp,
}

impl FollowUp {
    /// Decides by the failure's class alone.
    pub fn by_class(error: &anyhow::Error, policy: &RetryPolicy, attempt: u32) -> Self {
        match FailureClass::of(error) {
            FailureClass::Conflict | FailureClass::Locked => {
                FollowUp::Retry(policy.after_conflict(attempt))
            }
            FailureClass::Disconnected => FollowUp::Retry(policy.after_disconnect(attempt)),
            FailureClass::Duplicate | FailureClass::Refused | FailureClass::Internal => {
                FollowUp::Isolate
            }
        }
    }
}

/// End of a batch that was not written, as far as is known.
#[derive(Debug)]
pub struct BatchFailure {
    /// The last try's.
    pub error: anyhow::Error,
    /// One item is at fault; false if the tries ran out.
    pub is_items_fault: bool,
}

impl BatchFailure {
    /// Failure of an item that was not tried, since nobody answered those before it.
    pub(super) fn untried() -> Self {
        BatchFailure::transient(DatabaseSilent.into())
    }

    /// Tells whether nobody answers any more: whoever comes next would wait in vain too.
    pub(super) fn is_silence(&self) -> bool {
        !self.is_items_fault && FailureClass::of(&self.error) == FailureClass::Disconnected
    }

    fn transient(error: anyhow::Error) -> Self {
        BatchFailure {
            error,
            is_items_fault: false,
        }
    }
}

/// Tries the batch until it is written, within the bounds of its policy.
///
/// # Errors
/// The last try's failure: an item's own fault, tries that ran out, or no end within the
/// policy's total time-out.
pub async fn retry<T: BatchTransaction>(
    transaction: &mut T,
    items: &[T::Item],
) -> Result<Vec<T::Done>, BatchFailure> {
    transaction.begin();
    let total = transaction.policy().total_timeout;
    let tries = timeout(total, try_repeatedly(transaction, items)).await;
    tries.unwrap_or_else(|elapsed| Err(BatchFailure::transient(elapsed.into())))
}

async fn try_repeatedly<T: BatchTransaction>(
    transaction: &mut T,
    items: &[T::Item],
) -> Result<Vec<T::Done>, BatchFailure> {
    let policy = transaction.policy();
    let mut attempt = 0;
    loop {
        let tried = timeout(policy.attempt_timeout, transaction.attempt(items)).await;
        let error = match tried.map_err(anyhow::Error::from).flatten() {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let next = transaction.follow_up(&error, attempt);
        transaction.reset(&error).await;
        attempt += 1;
        match next {
            FollowUp::Isolate => {
                return Err(BatchFailure {
                    error,
                    is_items_fault: true,
                });
            }
            FollowUp::Retry(pause) if attempt < policy.max_attempts => {
                tokio::time::sleep(pause).await;
            }
            FollowUp::Retry(_) | FollowUp::GiveUp => return Err(BatchFailure::transient(error)),
        }
    }
}
