//! Failures of accept transactions, and what one try learns for the next.

use crate::accept::AcceptError;
use crate::batch::{BatchFailure, FailureClass, FollowUp, LockWait, RetryPolicy};
use std::time::Duration;

/// A request was refused before its key was looked up.
#[derive(Debug, thiserror::Error)]
#[error("a request would be refused; its key has to be looked up first")]
pub(super) struct KeyLookupRequired;

/// Reason why a batch has to run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AcceptFailure {
    /// A key was used before, here or by another instance: look keys up first.
    LookUpKeys,
    /// Deadlock and the like: nothing was written.
    Conflict,
    /// Somebody holds the lock of an account: nothing was written.
    Locked,
    /// Whether the commit took place is unknown: reconnect and look keys up.
    InDoubt,
    /// The server refuses a statement for good, or a row can't be read: find the request
    /// that it is about.
    Refused,
}

impl AcceptFailure {
    pub(super) fn of(error: &anyhow::Error) -> Self {
        if error.is::<KeyLookupRequired>() {
            return AcceptFailure::LookUpKeys;
        }
        match FailureClass::of(error) {
            FailureClass::Duplicate => AcceptFailure::LookUpKeys,
            FailureClass::Conflict => AcceptFailure::Conflict,
            FailureClass::Locked => AcceptFailure::Locked,
            FailureClass::Refused | FailureClass::Internal => AcceptFailure::Refused,
            FailureClass::Disconnected => AcceptFailure::InDoubt,
        }
    }
}

/// Memory of the tries of one batch.
#[derive(Debug, Default)]
pub(super) struct AcceptTries {
    /// Keys are read before anything is decided.
    pub(super) look_up: bool,
    /// A commit was in doubt: nobody may hear any more that nothing was booked.
    in_doubt: bool,
    /// A commit of this batch was in doubt, in whichever series of tries: it may still land
    /// while its rows look locked.
    ever_in_doubt: bool,
    /// Patience of the next try with locks.
    pub(super) lock_wait: LockWait,
}

impl AcceptTries {
    /// Memory of a new batch; with `look_up` keys are read from the first try on.
    pub(super) fn new(look_up: bool) -> Self {
        AcceptTries {
            look_up,
            ..AcceptTries::default()
        }
    }

    /// Begins the tries of one request alone. Keys go on being looked up, so what an
    /// earlier commit left is found.
    pub(super) fn begin(&mut self) {
        self.in_doubt = false;
    }

    /// Notes the failure of try number `attempt`, and decides what follows.
    pub(super) fn note(
        &mut self,
        failure: AcceptFailure,
        policy: &RetryPolicy,
        attempt: u32,
    ) -> FollowUp {
        let looked_up = self.look_up;
        self.look_up |= !matches!(failure, AcceptFailure::Conflict | AcceptFailure::Locked);
        self.in_doubt |= failure == AcceptFailure::InDoubt;
        self.ever_in_doubt |= self.in_doubt;
        match failure {
            // Two requests are after one posting, or its key's row is gone: no look-up mends
            // that. The first two may be another instance's, which was quicker.
            AcceptFailure::LookUpKeys if looked_up && attempt > 1 => FollowUp::Isolate,
            AcceptFailure::LookUpKeys => FollowUp::Retry(Duration::ZERO),
            AcceptFailure::Conflict => FollowUp::Retry(policy.after_conflict(attempt)),
            AcceptFailure::Locked if self.lock_wait == LockWait::SomeTries => {
                FollowUp::Retry(policy.after_conflict(attempt))
            }
            AcceptFailure::Locked => FollowUp::GiveUp,
            AcceptFailure::InDoubt => FollowUp::Retry(policy.after_disconnect(attempt)),
            AcceptFailure::Refused => FollowUp::Isolate,
        }
    }

    /// Answers a request that was given up.
    pub(super) fn refusal(&self, failure: &BatchFailure) -> AcceptError {
        match AcceptFailure::of(&failure.error) {
            _ if self.in_doubt => AcceptError::Unavailable,
            AcceptFailure::Locked if self.ever_in_doubt => AcceptError::Unavailable,
            AcceptFailure::Locked => AcceptError::AccountLocked,
            _ if failure.is_items_fault => AcceptError::Unbookable,
            _ => AcceptError::Unavailable,
        }
    }
}
