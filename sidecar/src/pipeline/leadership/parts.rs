//! Parts of a leadership, started in the order of their dependence.

use crate::audit;
use crate::audit::run::schedule;
use crate::audit::settings::LostPositionPolicy;
use crate::kafka::dead_letters::DeadLetterQueue;
use crate::pipeline::commit::BatchCommitter;
use crate::pipeline::commit::StateOutbox;
use crate::pipeline::commit::stop::CommitStop;
use crate::pipeline::evaluate::{ReplayMeter, StateFreezing};
use crate::pipeline::leadership::LeadershipContext;
use crate::pipeline::leadership::readers::SourceReaders;
use crate::pipeline::leadership::stage_thread;
use crate::pipeline::leadership::start_points::{StartPoints, is_behind_mark};
use crate::pipeline::leadership::written_state;
use crate::pipeline::shadow::{ShadowEvaluator, ShadowTap, ShadowWriter};
use crate::pipeline::{MAX_QUEUED_MESSAGES, evaluate, shadow};
use crate::recording::Recorder;
use crate::retention::GuardRetention;
use crate::rules::GuardJudge;
use crate::rules::runtime::rule_set::RuleSet;
use crate::stream::feed::{FeedSender, SourceMessage};
use crate::stream::gtid::Flavour;
use crate::stream::offsets::PartitionOffsets;
use crate::workflow::timed::TimedChanges;
use anyhow::Context;
use crossbeam_channel::bounded;
use mysql_async::Pool;
use sluice_contract::supervisor::Supervisor;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Time by which a clock may be ahead of the one before, in µs: half of the shortest patience
/// of the shipped pairs.
const MAX_CLOCK_LEAD_US: i64 = 1_000_000;

/// Signals by which the parts of a leadership end it.
pub(super) struct LeadershipSignals {
    /// Another host of a database server took over.
    pub(super) moved: CancellationToken,
    /// An audit found that the lease is another's.
    pub(super) lease_lost: CancellationToken,
    /// The first server's binlog can't be read on, and may be given up.
    pub(super) position_lost: mpsc::Receiver<()>,
}

/// Starts readers and evaluators.
pub(super) fn start_readers(
    context: &LeadershipContext,
    parts: &Supervisor,
    reports: &Supervisor,
    begin: &mut StartPoints,
    flavours: &[Flavour],
    term: (i64, &Pool),
    (rules, freezing): (&Arc<RuleSet>, Option<StateFreezing>),
) -> anyhow::Result<(mpsc::Receiver<evaluate::EvaluatedBatch>, LeadershipSignals)> {
    // Before anything is read: it says from where on.
    let restored = written_state::restore(context, begin, rules)?;
    let begin = &*begin;
    let first = *flavours.first().context("mysql.url names no server")?;
    let signed = context.db.seal.rows();
    let is_behind = is_behind_mark(signed.mark(), first, begin.read_from(0))?;
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
    let reading = (begin.kafka_from_us, begin.state.is_some());
    let shadow = start_shadow(context, parts, reading, term, rules)?;
    let worker = evaluate::StreamEvaluator::new(evaluate::StreamEvaluatorSettings {
        flavours: flavours.to_vec(),
        names: context.servers.iter().map(|s| s.name.clone()).collect(),
        positions: begin.read_positions(),
        server_gate,
        kafka_gate,
        kafka_activity: context.kafka_activity.clone(),
        rules: Arc::clone(rules),
        reloads: context.rules.receiver.clone(),
        metrics: context.health.metrics,
        kafka_from_us: begin.kafka_from_us,
        kafka_judged: kafka_judged(begin)?,
        tap: context.recorder.as_deref().and_then(Recorder::tap),
        mid_stream: false,
        workers: context.settings.workers,
        shadow: Some(shadow),
        cpu_per_second: context.settings.rules.cpu_per_second(),
        restored,
        clock_jumps: clock_jumps(context, begin.clock_lead_us),
        freezing,
        replay: replay_meter(context, begin, first),
        guard: GuardJudge::new(signed.clone(), is_behind),
        breaches: (format!("epoch {}", term.0).into(), begin.breaches.clone()),
    })?;
    Ok((start_evaluator(parts, worker, fed)?, signals))
}

/// Offsets up to which events are judged already.
fn kafka_judged(begin: &StartPoints) -> anyhow::Result<Option<PartitionOffsets>> {
    let committed = begin.kafka.as_ref().map(|row| row.position.as_str());
    committed.map(PartitionOffsets::parse).transpose()
}

/// Whether our clock is too far ahead of the one that led before for a pair's patience to be
/// judged by both; this is said.
fn clock_jumps(context: &LeadershipContext, lead_us: i64) -> bool {
    context
        .health
        .status
        .update(|s| s.memory.clock_lead_us = lead_us);
    let jumps = lead_us > MAX_CLOCK_LEAD_US;
    if jumps {
        tracing::error!(
            lead_us,
            "this clock is ahead of the one that led before: nothing is said to be missing until both sides of a pair \
             came by this one; set one of the clocks"
        );
    }
    jumps
}

/// Counts what is read again; None at the first start, which has nothing to.
fn replay_meter(
    context: &LeadershipContext,
    begin: &StartPoints,
    flavour: Flavour,
) -> Option<ReplayMeter> {
    let (row, _) = begin.binlogs.first()?;
    let committed = row.position.as_str();
    (!committed.is_empty() && begin.read_from(0) != committed)
        .then(|| ReplayMeter::new(flavour, committed, context.health.clone()))
}

/// Starts the evaluator of rules in shadow and its writer; returns the tap that feeds it.
/// `reading`: what Kafka is read from, and whether all is read on from a written state.
fn start_shadow(
    context: &LeadershipContext,
    parts: &Supervisor,
    reading: (Option<i64>, bool),
    (epoch, pool): (i64, &Pool),
    rules: &Arc<RuleSet>,
) -> anyhow::Result<ShadowTap> {
    let (batches, queue) = shadow::inputs();
    let (results, found) = shadow::findings();
    let evaluator = ShadowEvaluator::new(
        context.settings.rules.cpu_per_second(),
        reading,
        context.health.clone(),
        parts.stop_token(),
    );
    parts.spawn_thread("sluice-shadow", move || evaluator.run(&queue, &results))?;
    let writer = ShadowWriter {
        pool: pool.clone(),
        schemas: context.db.schemas.clone(),
        owner: context.db.owner.to_string(),
        epoch,
        health: context.health.clone(),
        stop: parts.stop_token(),
    };
    parts.spawn("shadow-writer", writer.run(found));
    Ok(ShadowTap::new(batches, rules, context.health.clone()))
}

fn start_evaluator(
    parts: &Supervisor,
    worker: evaluate::StreamEvaluator,
    fed: crossbeam_channel::Receiver<SourceMessage>,
) -> anyhow::Result<mpsc::Receiver<evaluate::EvaluatedBatch>> {
    let (results, evaluated) = evaluate::results();
    stage_thread::spawn(parts, "sluice-evaluate", move || worker.run(&fed, &results))?;
    Ok(evaluated)
}

/// Starts the schedule of audits; it ends with the leadership, and its end for want of
/// the lease ends the leadership.
pub(super) fn start_audits(
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

/// Starts retention; it ends with the leadership, wherever it is.
pub(super) fn start_retention(context: &LeadershipContext, parts: &Supervisor, epoch: i64) {
    let retention = GuardRetention {
        db: context.db.clone(),
        health: context.health.clone(),
        settings: context.settings.retention.clone(),
        epoch,
    };
    let stop = parts.stop_token();
    parts.spawn("retention", async move {
        stop.run_until_cancelled(retention.keep()).await;
        Ok(())
    });
}

/// Starts the part that takes timed changes back; it ends with the leadership.
pub(super) fn start_timed_changes(context: &LeadershipContext, parts: &Supervisor, epoch: i64) {
    let timed = TimedChanges {
        db: context.db.clone(),
        health: context.health.clone(),
        rules: context.rules.clone(),
        epoch,
    };
    let stop = parts.stop_token();
    parts.spawn("timed changes", async move {
        stop.run_until_cancelled(timed.keep()).await;
        Ok(())
    });
}

/// Makes the committer, which begins at the checkpoint.
pub(super) fn committer(
    context: &LeadershipContext,
    epoch: i64,
    pool: Pool,
    begin: StartPoints,
    (rules, state): (&RuleSet, StateOutbox),
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
        rules: context.rules.clone(),
        split_books: context.settings.split_books,
        budget_stop_us: context.settings.rules.budget_stop_us(),
        seal: context.db.seal.clone(),
        state,
        local: context.db.local.clone(),
    })
}

/// Whether a lost position is given up for a check of the data at rest; else it waits
/// for a person.
fn may_be_skipped(context: &LeadershipContext, flavour: Flavour) -> bool {
    context.settings.on_lost_position == LostPositionPolicy::Check
        && flavour != Flavour::Feed
        && audit::run::servers(&context.audit, flavour).is_ok()
}
