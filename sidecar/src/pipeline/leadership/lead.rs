//! One leadership: its parts are built in the order of their dependence, and all end
//! with it.
//!
//! At the program's stop the parts end from the source down, so that nothing that was
//! read is thrown away: readers hand over what is whole and end → the queue closes
//! behind them → the evaluator drains it and ends → the committer takes the last
//! results, and writes the last checkpoint.

use crate::audit::settings::LostPositionPolicy;
use crate::audit::{self, schedule};
use crate::kafka::dead_letters::DeadLetterQueue;
use crate::pipeline::commit::stop::CommitStop;
use crate::pipeline::commit::{BatchCommitter, LeadershipEnd};
use crate::pipeline::leadership::LeadershipContext;
use crate::pipeline::leadership::start_points::{self, StartPoints};
use crate::pipeline::readers::SourceReaders;
use crate::pipeline::{MAX_QUEUED_MESSAGES, evaluate};
use crate::recording::Recorder;
use crate::rules::runtime::rule_set::RuleSet;
use crate::stream::feed::{FeedSender, SourceMessage};
use crate::stream::gtid::Flavour;
use crate::verdicts::shadow_limit::ShadowLimiter;
use anyhow::Context;
use crossbeam_channel::bounded;
use mysql_async::Pool;
use sluice_contract::supervisor::Supervisor;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Time for the parts of a leadership to end after it.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for the report of Kafka's offsets to end: it may wait for brokers that are away.
const REPORT_STOP_TIMEOUT: Duration = Duration::from_millis(100);

/// Signals by which the parts of a leadership end it.
struct LeadershipSignals {
    /// Another host of a database server took over.
    moved: CancellationToken,
    /// An audit found that the lease is another's.
    lease_lost: CancellationToken,
    /// The first server's binlog can't be read on, and may be given up.
    position_lost: mpsc::Receiver<()>,
}

/// Leads until stopped or deposed; `parts` is this leadership's own group, and empty
/// again when it is over.
///
/// # Errors
/// It could not begin; it may be tried again.
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
    let begin = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(LeadershipEnd::Stopped),
        begin = start_points::find(context, epoch, flavours, &rules) => {
            begin.context("reading the checkpoint")?
        }
    };
    context.fence.leadership_begins();
    // Ends the readers, however this leadership ends.
    let _ends_with_us = stop.clone().drop_guard();
    let reports = parts.group();
    let (mut evaluated, mut signals) =
        start_parts(context, parts, &reports, &begin, flavours, &rules)?;
    let replay_from = begin
        .binlogs
        .first()
        .map(|(row, _)| row.replay_from.clone())
        .unwrap_or_default();
    let committer = committer(context, epoch, pool, begin, &rules, &stop)?;
    start_audits(context, parts, epoch, flavours, &signals.lease_lost)?;
    let end = until_end(committer, &mut evaluated, parts, &mut signals).await;
    // Before the queue closes: an evaluator that ends then was told to.
    stop.cancel();
    drop(evaluated);
    if matches!(end, LeadershipEnd::PositionLost) {
        context.audit.handle.lost(&replay_from);
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
    evaluated: &mut mpsc::Receiver<evaluate::EvaluatedBatch>,
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

/// Starts readers and evaluator.
fn start_parts(
    context: &LeadershipContext,
    parts: &Supervisor,
    reports: &Supervisor,
    begin: &StartPoints,
    flavours: &[Flavour],
    rules: &Arc<RuleSet>,
) -> anyhow::Result<(mpsc::Receiver<evaluate::EvaluatedBatch>, LeadershipSignals)> {
    let first = *flavours.first().context("mysql.url names no server")?;
    let (feed, fed) = bounded(MAX_QUEUED_MESSAGES);
    let (lost, position_lost) = mpsc::channel(1);
    let signals = LeadershipSignals {
        moved: CancellationToken::new(),
        lease_lost: CancellationToken::new(),
        position_lost,
    };
    let skippable = may_be_skipped(context, first).then_some(lost);
    let readers = SourceReaders {
        servers: &context.servers,
        schemas: &context.db.schemas,
        server_id: context.settings.server_id,
        kafka: &context.settings.kafka,
        begin,
        flavours,
        feed: FeedSender::new(feed, parts.stop_token()),
        parts,
        reports,
        blind: &context.health.blind,
        status: &context.health.status,
        metrics: context.health.metrics,
    };
    let kafka_gate = readers.kafka()?;
    let server_gate = readers.server_ends()?;
    readers.binlogs(&signals.moved, skippable.as_ref())?;
    // The readers' own copies are all that is left: the queue ends with them.
    drop(readers);
    let worker = evaluate::StreamEvaluator::new(evaluate::StreamEvaluatorSettings {
        flavours: flavours.to_vec(),
        names: context.servers.iter().map(|s| s.name.clone()).collect(),
        positions: begin
            .binlogs
            .iter()
            .map(|(row, _)| row.replay_from.clone())
            .collect(),
        server_gate,
        kafka_gate,
        kafka_activity: context.kafka_activity.clone(),
        rules: Arc::clone(rules),
        reloads: context.rules.receiver.clone(),
        metrics: context.health.metrics,
        kafka_from_us: begin.kafka_from_us,
        tap: context.recorder.as_deref().and_then(Recorder::tap),
        mid_stream: false,
        workers: context.settings.workers,
    })?;
    Ok((start_evaluator(parts, worker, fed)?, signals))
}

fn start_evaluator(
    parts: &Supervisor,
    worker: evaluate::StreamEvaluator,
    fed: crossbeam_channel::Receiver<SourceMessage>,
) -> anyhow::Result<mpsc::Receiver<evaluate::EvaluatedBatch>> {
    let (results, evaluated) = evaluate::results();
    parts.spawn_thread("sluice-evaluate", move || worker.run(&fed, &results))?;
    Ok(evaluated)
}

/// Starts the schedule of audits; it ends with the leadership, and its end for want of
/// the lease ends the leadership.
fn start_audits(
    context: &LeadershipContext,
    parts: &Supervisor,
    epoch: i64,
    flavours: &[Flavour],
    lease_lost: &CancellationToken,
) -> anyhow::Result<()> {
    let flavour = *flavours.first().context("mysql.url names no server")?;
    let (audit, stop) = (context.audit.clone(), parts.stop_token());
    let lease_lost = lease_lost.clone();
    parts.spawn("audit-schedule", async move {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = schedule::keep(audit, epoch, flavour) => {
                lease_lost.cancel();
                stop.cancelled().await;
            }
        }
        Ok(())
    });
    Ok(())
}

fn committer(
    context: &LeadershipContext,
    epoch: i64,
    pool: Pool,
    begin: StartPoints,
    rules: &RuleSet,
    stop: &CancellationToken,
) -> anyhow::Result<BatchCommitter> {
    let mut binlogs = begin.binlogs.into_iter().map(|(row, _)| row);
    Ok(BatchCommitter {
        pool,
        schemas: context.db.schemas.clone(),
        owner: context.db.owner.to_string(),
        epoch,
        checkpoint: context.settings.checkpoint_interval,
        fence: context.fence.clone(),
        health: context.health.clone(),
        stop: CommitStop::new(stop.clone()),
        binlog: binlogs.next().context("mysql.url names no server")?,
        also: binlogs.collect(),
        kafka: begin.kafka,
        rules_hash: rules.hash().chars().take(16).collect(),
        dead_letters: DeadLetterQueue::default(),
        shadow: ShadowLimiter::default(),
        rules: context.rules.clone(),
        split_books: context.settings.split_books,
    })
}

/// Whether a lost position is given up for a check of the data at rest; else it waits
/// for a person.
fn may_be_skipped(context: &LeadershipContext, flavour: Flavour) -> bool {
    context.settings.on_lost_position == LostPositionPolicy::Check
        && flavour != Flavour::Feed
        && audit::run::servers(&context.audit, flavour).is_ok()
}
