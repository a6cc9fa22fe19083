//! Leaderships, one after the other: this instance waits for the lease, reads and
//! commits while it holds it, and gives it up in order.
//!
//! | a leadership ends by | last checkpoint | lease |
//! |---|---|---|
//! | the program's stop | written once drained | kept; released when the fence is closed |
//! | another host of the database | none: it has its own | released there, as copied |
//! | a position that is lost | none | released |
//! | the lease's loss | none: another sidecar commits | not touched |
//! | the death of a part | none: what is whole is unknown | kept until the program's end |

pub mod context;
mod lead;
mod lease;
mod parts;
mod readers;
mod stage_thread;
pub mod start_points;
mod written_state;

pub use crate::pipeline::leadership::context::{LeadershipContext, LeadershipSettings};
pub use crate::pipeline::leadership::lease::{release_at_end, step_down};

use crate::health::blind::BlindCause;
use crate::pipeline::commit::LeadershipEnd;
use crate::rules::runtime::rule_set::RuleSet;
use crate::stream::gtid::Flavour;
use sluice_contract::supervisor::Supervisor;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause between two tries to begin.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Leads whenever the lease can be had, until the stage of the shutdown that `parts` is
/// stops. A lease that is held then is still held: the program releases it.
///
/// # Errors
/// A part of the leadership died.
pub async fn keep_leading(context: LeadershipContext, parts: Supervisor) -> anyhow::Result<()> {
    let stop = parts.stop_token();
    loop {
        let ready = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            ready = sources_ready(&context) => ready,
        };
        let Some((rules, flavours)) = ready else {
            return Ok(());
        };
        let Some(epoch) = lease::wait_for_lease(&context, &stop).await else {
            return Ok(());
        };
        // A group of its own: a part that ends ends the program, a leadership does not.
        let leading = parts.group();
        match lead::lead(&context, &leading, epoch, &flavours, rules).await {
            Ok(LeadershipEnd::Stopped) => return Ok(()),
            Ok(LeadershipEnd::Died(error)) => {
                context
                    .health
                    .blind
                    .set(BlindCause::Died, format!("{error:#}"));
                return Err(error);
            }
            // The lease there is our own, as it was copied: given up, it is free at once.
            Ok(LeadershipEnd::PrimaryMoved) => step_down(&context.db, &context.health.status).await,
            // The next leadership begins with the gap, if nobody else's does.
            Ok(LeadershipEnd::PositionLost) => {
                step_down(&context.db, &context.health.status).await;
                pause(&stop).await;
            }
            Ok(LeadershipEnd::LeaseLost) => {
                context.health.status.update(|s| s.role = "standby");
                tracing::warn!(epoch, "lease lost: another sidecar took it")
            }
            Err(error) => {
                context.health.blind.set(
                    BlindCause::Binlog,
                    format!("can't begin to read, still trying: {error:#}"),
                );
                step_down(&context.db, &context.health.status).await;
                pause(&stop).await;
            }
        }
    }
}

/// Waits until a rule set is loaded and every server can be read. `None` if the program
/// is over.
async fn sources_ready(context: &LeadershipContext) -> Option<(Arc<RuleSet>, Vec<Flavour>)> {
    let mut loaded = context.rules.receiver.clone();
    let rules = loaded.wait_for(Option::is_some).await.ok()?.clone()?;
    let mut flavours = Vec::new();
    for server in context.servers.iter() {
        flavours.push(server.fit().await?);
    }
    Some((rules, flavours))
}

async fn pause(stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(RETRY_DELAY) => {}
    }
}
