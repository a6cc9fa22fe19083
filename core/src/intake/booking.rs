//! Bookings of payments, tried until each is booked, known, or set aside.

use crate::accept::{AcceptError, AcceptResult, Acceptor};
use crate::batch::policy::INTAKE;
use crate::intake::count;
use crate::intake::message::{PaymentOffset, ReceivedPayment};
use crate::intake::quarantine::QuarantinedPayment;
use crate::metrics::METRICS;
use futures_util::future::join_all;
use sluice_contract::event::BUSINESS_TOPICS;
use std::collections::HashSet;
use std::sync::Arc;

/// Tries of a payment that the database refuses, over some 10 s, before it is set aside: a
/// row of the account can't be read by this build, and others need not wait for it.
const MAX_UNBOOKABLE_TRIES: u32 = 10;

/// Counts a partition as held back for as long as it lives, also if it is given up.
struct HeldPartition;

impl HeldPartition {
    fn new() -> Self {
        METRICS.intake.held_partitions.inc();
        HeldPartition
    }
}

impl Drop for HeldPartition {
    fn drop(&mut self) {
        METRICS.intake.held_partitions.dec();
    }
}

/// Returns once every payment of a partition's batch is booked, known, or refused for good;
/// those that are to be set aside. Events under one key follow each other in the order of
/// the partition.
pub(super) async fn book(
    acceptor: &Arc<Acceptor>,
    mut payments: Vec<ReceivedPayment>,
) -> Vec<QuarantinedPayment> {
    let (mut attempt, mut held, mut quarantined) = (0, None, Vec::new());
    while !payments.is_empty() {
        let mut keys = HashSet::new();
        let (now, later): (Vec<_>, Vec<_>) = payments
            .into_iter()
            .partition(|p| keys.insert(p.request.key.clone()));
        let booked = join_all(
            now.iter()
                .map(|p| acceptor.submit(p.request.clone(), |_| ())),
        )
        .await;
        let (mut again, reason) = settle(now, booked, attempt, &mut quarantined);
        if let Some(reason) = reason {
            METRICS.intake.retries.inc();
            held.get_or_insert_with(HeldPartition::new);
            tracing::warn!(
                partition = again.first().map(|p| p.source.place.partition),
                payments = again.len(),
                "payments wait to be booked: {reason}"
            );
            tokio::time::sleep(INTAKE.after_conflict(attempt)).await;
            attempt += 1;
        }
        again.extend(later);
        payments = again;
    }
    quarantined
}

/// Counts what is done, and returns the payments to be tried again, with the last reason.
fn settle(
    payments: Vec<ReceivedPayment>,
    results: Vec<AcceptResult>,
    attempt: u32,
    quarantined: &mut Vec<QuarantinedPayment>,
) -> (Vec<ReceivedPayment>, Option<AcceptError>) {
    let (mut again, mut reason) = (Vec::new(), None);
    for (payment, result) in payments.into_iter().zip(results) {
        match result {
            Ok(accepted) if accepted.replayed => count("repeated"),
            Ok(_) => count("booked"),
            Err(refusal) if refusal.is_transient() && !is_hopeless(&refusal, attempt) => {
                reason = Some(refusal);
                again.push(payment);
            }
            Err(refusal) => {
                report(&payment, &refusal);
                quarantined.extend(payment.refused(&refusal));
            }
        }
    }
    (again, reason)
}

/// Tells whether this build won't book it by trying on.
fn is_hopeless(refusal: &AcceptError, attempt: u32) -> bool {
    *refusal == AcceptError::Unbookable && attempt >= MAX_UNBOOKABLE_TRIES
}

/// Counts a payment that is refused for good, and names its place.
fn report(payment: &ReceivedPayment, refusal: &AcceptError) {
    let (account, PaymentOffset { partition, offset }) =
        (payment.request.booking.account_id(), &payment.source.place);
    let topic = BUSINESS_TOPICS[0];
    let contradicts =
        *refusal == AcceptError::KeyReused || *refusal == AcceptError::AlreadyCaptured;
    if contradicts {
        count("conflict");
        tracing::error!(
            topic,
            partition,
            offset,
            account,
            "a payment was told before with other words: not booked"
        );
    } else {
        count("dead_letter");
        tracing::error!(
            topic,
            partition,
            offset,
            account,
            "a payment is set aside: {refusal}"
        );
    }
}
