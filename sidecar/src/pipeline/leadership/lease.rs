//! The lease, from this process's side: waiting for it, giving it up, and giving it up
//! for good when the program ends.

use crate::health::blind::BlindCause;
use crate::health::status::SidecarStatus;
use crate::leader::guard_db::GuardDb;
use crate::leader::lease_repo::LeaseHolder;
use crate::pipeline::leadership::LeadershipContext;
use sluice_contract::clock::now_us;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Interval at which a standby looks whether the lease is free.
const STANDBY_POLL_INTERVAL: Duration = Duration::from_millis(500);
/// A database that does not answer within this is tried again.
const LEASE_QUERY_TIMEOUT: Duration = Duration::from_secs(2);
/// A release that takes longer is given up: the lease runs out by itself.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);

/// Waits for the lease and returns its epoch. `None` if the program is to end: a lease
/// that was taken in that very moment is given up again.
pub(super) async fn wait_for_lease(
    context: &LeadershipContext,
    stop: &CancellationToken,
) -> Option<i64> {
    while !stop.is_cancelled() {
        match try_acquire_lease(context).await {
            Ok(Ok(epoch)) => {
                active(context, epoch);
                return Some(epoch);
            }
            Ok(Err(held)) => {
                context.health.status.update(|s| s.role = "standby");
                context.health.blind.set(
                    BlindCause::Standby,
                    format!("lease held by {} (epoch {})", held.owner, held.epoch),
                );
            }
            Err(error) => context.health.blind.set(
                BlindCause::Standby,
                format!("the lease can't be read, still trying: {error:#}"),
            ),
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(STANDBY_POLL_INTERVAL) => {}
        }
    }
    None
}

async fn try_acquire_lease(
    context: &LeadershipContext,
) -> anyhow::Result<Result<i64, LeaseHolder>> {
    let last_epoch = context.health.status.read().epoch;
    let asked = context.db.acquire_lease(last_epoch);
    match tokio::time::timeout(LEASE_QUERY_TIMEOUT, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => anyhow::bail!("no answer within 2 s"),
    }
}

/// Shows that this instance leads, and that it sees nothing yet.
fn active(context: &LeadershipContext, epoch: i64) {
    let health = &context.health;
    // Before the lease's cause goes: not for a moment does it look as if we saw.
    for server in context.servers.iter() {
        server.blind.set(BlindCause::Binlog, "connecting");
    }
    if !context.settings.kafka.brokers.is_empty() {
        health.blind.set(BlindCause::Kafka, "connecting");
    }
    health.blind.clear(BlindCause::Standby);
    health.status.update(|s| s.leads(epoch, now_us()));
    tracing::info!(epoch, owner = &*context.db.owner, "active");
}

/// Gives the lease up and stays a standby, which may take it again.
pub async fn step_down(db: &GuardDb, status: &SidecarStatus) {
    end_leadership(db, status, "standby").await;
}

/// Gives the lease up for good. The role goes first: nobody here takes the folder's
/// edits or starts a run over the data at rest any more, and a renewal that comes too
/// late finds a lease that was given up (`lease_repo::renew`).
pub async fn release_at_end(db: &GuardDb, status: &SidecarStatus) {
    end_leadership(db, status, "shutting down").await;
}

async fn end_leadership(db: &GuardDb, status: &SidecarStatus, role: &'static str) {
    let before = status.read();
    status.update(|s| s.role = role);
    if before.role != "active" {
        return;
    }
    let epoch = before.epoch;
    match tokio::time::timeout(RELEASE_TIMEOUT, db.release_lease(epoch)).await {
        Ok(Ok(())) => tracing::info!(epoch, "lease released"),
        _ => tracing::warn!("the lease could not be released; a standby waits until it runs out"),
    }
}
