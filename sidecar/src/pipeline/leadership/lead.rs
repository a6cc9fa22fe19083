//! One leadership: its parts are built in the order of their dependence, and all end
//! with it.
//!
//! At the program's stop the parts end from the source down, so that nothing that was
//! read is thrown away: readers hand over what is whole and end → the queue closes
//! behind them → the evaluator drains it and ends → the committer takes the last
//! results, and writes the last checkpoint.

use crate::pipeline::commit::{BatchCommitter, LeadershipEnd, StateOutbox};
use crate::pipeline::evaluate::EvaluatedBatch;
use crate::pipeline::lag::open_breakers;
use crate::pipeline::leadership::LeadershipContext;
use crate::pipeline::leadership::parts::{
    LeadershipSignals, committer, start_audits, start_readers, start_retention,
};
use crate::pipeline::leadership::{start_points, written_state};
use crate::rules::runtime::rule_set::RuleSet;
use crate::stream::gtid::Flavour;
use anyhow::Context;
use sluice_contract::supervisor::Supervisor;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Time for the parts of a leadership to end after it.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for the report of Kafka's offsets to end: it may wait for brokers that are away.
const REPORT_STOP_TIMEOUT: Duration = Duration::from_millis(100);

/// Leads until stopped, or until the lease is lost; `parts` is this leadership's own group,
/// and empty again when it is over.
///
/// # Errors
/// A begin that failed; it may be tried again.
pub(super) async fn lead(
    context: &LeadershipContext,
    parts: &Supervisor,
    epoch: i64,
    flavours: &[Flavour],
    rules: Arc<RuleSet>,
) -> anyhow::Result<LeadershipEnd> {
    let stop = parts.stop_token();
    // Verdicts go where they were read, even if another host takes over meanwhile.
    let pool = context.db.hosts.commit_pool();
    let mut begin = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(LeadershipEnd::Stopped),
        begin = start_points::find(context, epoch, flavours, &rules) => {
            begin.context("reading the checkpoint")?
        }
    };
    let sealed = context.db.begin_seal().await;
    // Before the fence speaks: nothing may pass on breakers that nobody vouches for.
    let sealed = sealed.context("reading the breakers' seal")?;
    open_breakers::show_seal(&context.health.blind, &sealed);
    context.fence.leadership_begins();
    // Ends the readers, however this leadership ends.
    let _ends_with_us = stop.clone().drop_guard();
    let reports = parts.group();
    let (freezing, written) = written_state::start_writer(context, parts, flavours, epoch)?;
    let (mut evaluated, mut signals) = start_readers(
        context,
        parts,
        &reports,
        &mut begin,
        flavours,
        (epoch, &pool),
        (&rules, freezing),
    )?;
    let read_from = begin.read_from(0).to_owned();
    // Its bytes are of no use any more.
    begin.state = None;
    let outbox = StateOutbox::to(written);
    let committer = committer(context, epoch, pool, begin, (&rules, outbox), &stop)?;
    start_audits(context, parts, epoch, flavours, &signals.lease_lost)?;
    start_retention(context, parts, epoch);
    let end = until_end(committer, &mut evaluated, parts, &mut signals).await;
    // Before the queue closes: an evaluator that ends then was told to.
    stop.cancel();
    drop(evaluated);
    if matches!(end, LeadershipEnd::PositionLost) {
        context.audit.handle.lost(&read_from);
    }
    if reports.stop(REPORT_STOP_TIMEOUT).await.is_err() {
        tracing::warn!("the report of Kafka's offsets has not ended yet; nobody waits for it");
    }
    match parts.stop(STOP_TIMEOUT).await {
        Ok(()) => Ok(end),
        Err(unfinished) => Ok(LeadershipEnd::Died(unfinished.into())),
    }
}

/// Waits for the first of everything that ends a leadership. The committer goes first:
/// at the program's stop the others may be ready too, and its last checkpoint counts.
async fn until_end(
    committer: BatchCommitter,
    evaluated: &mut mpsc::Receiver<EvaluatedBatch>,
    parts: &Supervisor,
    signals: &mut LeadershipSignals,
) -> LeadershipEnd {
    tokio::select! {
        biased;
        end = committer.run(evaluated) => end,
        end = parts.first_end() => LeadershipEnd::Died(end.into()),
        () = signals.moved.cancelled() => LeadershipEnd::PrimaryMoved,
        () = signals.lease_lost.cancelled() => LeadershipEnd::LeaseLost,
        Some(()) = signals.position_lost.recv() => LeadershipEnd::PositionLost,
    }
}
