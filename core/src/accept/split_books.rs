//! Accepting while balance and ledger are on servers of their own. The batch's keys,
//! orders and intents are one transaction; then the saga drives the intents, and each
//! caller is told what became of its own.
//!
//! A caller who gets 503 was promised nothing and refused nothing: the intent, if it
//! was written, is driven to its end later. A repeat with the same key drives it too
//! and learns the truth.

pub use crate::accept::split_open::{OpenedIntents, open};

use crate::accept::failure::{AcceptFailure, AcceptTries};
use crate::accept::split_open::RequestProgress;
use crate::accept::{AcceptError, AcceptResult, IdempotentRequest};
use crate::batch::{self, BatchFailure, BatchTransaction, FollowUp, RetryPolicy, SpoiledItem};
use crate::intents::BookingResult;
use crate::saga::BookingSaga;
use sluice_contract::sql::TRANSACTION_TIMEOUT;
use std::collections::HashMap;

/// Locked names of a batch that are waited for: behind them the others are refused untried.
const MAX_PATIENT_MISSES: usize = 4;

/// One batch of requests whose books are elsewhere.
pub struct SplitAccept<'a> {
    saga: &'a BookingSaga,
    tries: AcceptTries,
    /// The try under way is of one request.
    is_alone: bool,
    /// Requests whose names somebody holds locked, each tried alone.
    missed: usize,
}

impl<'a> SplitAccept<'a> {
    pub fn new(saga: &'a BookingSaga) -> Self {
        SplitAccept {
            saga,
            tries: AcceptTries::default(),
            is_alone: false,
            missed: 0,
        }
    }

    /// Books the batch; one result for each request.
    pub async fn write(mut self, requests: &[IdempotentRequest]) -> Vec<AcceptResult> {
        match batch::run(&mut self, requests).await {
            Ok(results) => results,
            Err(failure) => {
                let refusal = self.tries.refusal(&failure);
                requests.iter().map(|_| Err(refusal.clone())).collect()
            }
        }
    }
}

impl BatchTransaction for SplitAccept<'_> {
    type Item = IdempotentRequest;
    type Done = AcceptResult;

    fn policy(&self) -> &'static RetryPolicy {
        &batch::policy::ACCEPT_SPLIT
    }

    fn begin(&mut self) {
        self.tries.begin();
    }

    async fn attempt(
        &mut self,
        requests: &[IdempotentRequest],
    ) -> anyhow::Result<Vec<AcceptResult>> {
        if self.saga.is_away() {
            let unavailable = |_| Err(AcceptError::Unavailable);
            return Ok(requests.iter().map(unavailable).collect());
        }
        self.is_alone = requests.len() == 1;
        if self.is_alone && self.missed >= MAX_PATIENT_MISSES {
            return Ok(vec![Err(AcceptError::AccountLocked)]);
        }
        let all: Vec<&IdempotentRequest> = requests.iter().collect();
        let opening = open(self.saga, &all, self.tries.look_up);
        let opened = tokio::time::timeout(TRANSACTION_TIMEOUT, opening).await??;
        Ok(settle(self.saga, opened, requests).await)
    }

    /// Leaves the connection to the pool, which has it back already and resets it.
    async fn reset(&mut self, _: &anyhow::Error) {}

    fn follow_up(&mut self, error: &anyhow::Error, attempt: u32) -> FollowUp {
        tracing::warn!(attempt, "writing intents runs again: {error:#}");
        let failure = AcceptFailure::of(error);
        let noted = self.tries.note(failure, self.policy(), attempt);
        match failure {
            // Each try has waited as long as the session says. Another core that writes one of
            // the names is done by then; whoever holds one longer holds up its request alone.
            AcceptFailure::Locked if self.is_alone => {
                self.missed += 1;
                FollowUp::GiveUp
            }
            AcceptFailure::Locked => FollowUp::Isolate,
            _ => noted,
        }
    }

    async fn spoiled(
        &mut self,
        _: &IdempotentRequest,
        failure: BatchFailure,
    ) -> SpoiledItem<AcceptResult> {
        SpoiledItem::Answer(Err(self.tries.refusal(&failure)))
    }
}

/// Drives what is open, and answers each request with its own booking's result.
async fn settle(
    saga: &BookingSaga,
    opened: OpenedIntents,
    requests: &[IdempotentRequest],
) -> Vec<AcceptResult> {
    let mut done: HashMap<String, BookingResult> = HashMap::new();
    match saga.drive(opened.intents).await {
        Ok(driven) => {
            let asking = driven
                .into_iter()
                .filter(|(intent, _)| intent.is_refusable());
            done.extend(asking.filter_map(|(intent, done)| Some((intent.order_id, done?))));
        }
        Err(error) => tracing::warn!("accepted requests wait for their booking: {error:#}"),
    }
    let result = |(progress, request): (RequestProgress, &IdempotentRequest)| match progress {
        RequestProgress::Answered(result) => result,
        RequestProgress::AwaitsBooking(accepted) => match done.get(&accepted.order_id) {
            Some(BookingResult::Booked) => Ok(accepted),
            Some(BookingResult::Refused(error)) => {
                saga.refusals.note(request.booking.account_id());
                Err(request.booking.refusal(*error))
            }
            None => Err(AcceptError::Unavailable),
        },
    };
    opened
        .progress
        .into_iter()
        .zip(requests)
        .map(result)
        .collect()
}
