//! Failures of accept transactions, and what one try learns for the next.

use crate::accept::AcceptError;
use crate::batch::{BatchFailure, FailureClass, FollowUp, RetryPolicy};
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
    /// Whether the commit took place is unknown: reconnect and look keys up.
    InDoubt,
    /// The server refuses a statement for good: find the request that it is about.
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
            FailureClass::Refused => AcceptFailure::Refused,
            FailureClass::Disconnected | FailureClass::Internal => AcceptFailure::InDoubt,
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
}

impl AcceptTries {
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
        self.look_up |= failure != AcceptFailure::Conflict;
        self.in_doubt |= failure == AcceptFailure::InDoubt;
        match failure {
            AcceptFailure::LookUpKeys => FollowUp::Retry(Duration::ZERO),
            AcceptFailure::Conflict => FollowUp::Retry(policy.after_conflict(attempt)),
            AcceptFailure::InDoubt => FollowUp::Retry(policy.after_disconnect(attempt)),
            AcceptFailure::Refused => FollowUp::Isolate,
        }
    }

    /// Answers a request that was given up.
    pub(super) fn refusal(&self, failure: &BatchFailure) -> AcceptError {
        if failure.is_items_fault && !self.in_doubt {
            AcceptError::Unbookable
        } else {
            AcceptError::Unavailable
        }
    }
}
