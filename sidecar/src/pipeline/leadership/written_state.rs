//! The written state at the start of a leadership: gone on from, or refused and said why.

use crate::leader::checkpoint_repo::{self, CheckpointRow};
use crate::pipeline::evaluate::{RestoredPositions, RestoredStart, StateFreezing};
use crate::pipeline::leadership::LeadershipContext;
use crate::pipeline::leadership::start_points::StartPoints;
use crate::rules::RuleWorkers;
use crate::rules::runtime::rule_selection::RuleSelection;
use crate::rules::runtime::rule_set::RuleSet;
use crate::state_file::{
    self, CommittedPositions, StateToWrite, StateWriter, WrittenState, refusal,
};
use crate::stream::gtid::Flavour;
use crate::stream::offsets::PartitionOffsets;
use anyhow::Context;
use crossbeam_channel::Sender;
use sluice_contract::clock::now_us;
use sluice_contract::supervisor::Supervisor;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Interval at which a writer that nobody sends to looks for the stop.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(20);
/// A file may be longer than memories by this factor: what they share is written once for each.
const FILE_PER_MEMORY: u64 = 4;
/// Room in it for what is kept beside memories: known transactions and events, and balances.
const FILE_BASE_BYTES: u64 = 64 << 20;

/// Reads the written state; None if there is none to go on from, which is said.
pub(super) async fn find(
    context: &LeadershipContext,
    flavours: &[Flavour],
    kafka: Option<&CheckpointRow>,
) -> anyhow::Result<Option<WrittenState>> {
    let settings = &context.settings.state;
    let Some(dir) = settings.dir.clone() else {
        refused(context, "state.dir is not set");
        return Ok(None);
    };
    let Some(committed) = committed(context, flavours, kafka).await? else {
        refused(context, "there is no checkpoint yet");
        return Ok(None);
    };
    let keys = context.provenance_key.clone();
    let memory_bytes = settings.memory_bytes() as u64;
    let max_bytes = FILE_BASE_BYTES.saturating_add(memory_bytes.saturating_mul(FILE_PER_MEMORY));
    let read = move || state_file::read(&dir, &keys, max_bytes);
    let found = tokio::task::spawn_blocking(read).await?;
    let found = found.and_then(|state| match refusal(&state.header.positions, &committed) {
        Some(reason) => Err(reason),
        None => Ok(state),
    });
    match found {
        Ok(state) => Ok(Some(state)),
        Err(reason) => {
            refused(context, &reason);
            Ok(None)
        }
    }
}

/// Says that the binlog is read again from where the checkpoint says.
fn refused(context: &LeadershipContext, reason: &str) {
    tracing::warn!(
        reason,
        "no written state is gone on from: the binlog is read again"
    );
    // A later checkpoint may cover its positions with other transactions.
    if let Some(dir) = &context.settings.state.dir {
        state_file::shelve(dir);
    }
    let health = &context.health;
    health
        .status
        .update(|s| (s.memory.from, s.memory.refused) = ("binlog", Some(reason.to_owned())));
    let starts = &health.metrics.state.starts;
    starts.with_label_values(&["binlog"]).inc();
}

/// Positions of the checkpoint; None if a server has none yet.
async fn committed(
    context: &LeadershipContext,
    flavours: &[Flavour],
    kafka: Option<&CheckpointRow>,
) -> anyhow::Result<Option<CommittedPositions>> {
    let mut conn = context.db.conn().await?;
    let (schemas, signed) = (&context.db.schemas, context.db.seal.rows());
    let mut servers = Vec::new();
    for (server, flavour) in context.servers.iter().zip(flavours) {
        let source = server.source(*flavour);
        let row = checkpoint_repo::read_checkpoint(&mut conn, schemas, signed, &source).await?;
        let Some(row) = row else { return Ok(None) };
        servers.push((source, *flavour, row.position, row.replay_from));
    }
    Ok(Some(CommittedPositions {
        servers,
        kafka: kafka.map(|row| row.position.clone()),
        has_kafka: !context.settings.kafka.brokers.is_empty(),
    }))
}

/// Makes the rules as they were when they were written. What can't be read is said, and the
/// start goes on without.
pub(super) fn restore(
    context: &LeadershipContext,
    begin: &mut StartPoints,
    rules: &Arc<RuleSet>,
) -> anyhow::Result<Option<RestoredStart>> {
    let Some(state) = &begin.state else {
        show_position(context, begin);
        return Ok(None);
    };
    let workers = context.settings.workers;
    let mut made = RuleWorkers::new(Arc::clone(rules), workers, RuleSelection::Armed)?;
    let restored = made
        .restore(&state.sections)
        .and_then(|told| Ok((told, positions(state)?)));
    let (told, positions) = match restored {
        Ok(restored) => restored,
        Err(error) => {
            refused(context, &format!("{error:#}"));
            begin.state = None;
            show_position(context, begin);
            return Ok(None);
        }
    };
    let frozen_us = state.header.frozen_us;
    tracing::info!(
        age_us = now_us().saturating_sub(frozen_us),
        restored = told.restored.len(),
        anew = ?told.anew,
        "gone on from the written state"
    );
    let health = &context.health;
    let starts = &health.metrics.state.starts;
    starts.with_label_values(&["state"]).inc();
    health.status.update(|s| {
        (s.memory.from, s.memory.frozen_us, s.memory.anew) = ("state", frozen_us, told.anew);
    });
    show_position(context, begin);
    Ok(Some(RestoredStart {
        workers: made,
        positions,
    }))
}

fn show_position(context: &LeadershipContext, begin: &StartPoints) {
    let position = begin.read_from(0).to_owned();
    context
        .health
        .status
        .update(|s| s.memory.position = position);
}

fn positions(state: &WrittenState) -> anyhow::Result<RestoredPositions> {
    let written = &state.header.positions;
    let offsets = |text: &String| PartitionOffsets::parse(text);
    let reached = written.kafka.as_ref().map(offsets).transpose()?;
    let replay = written.kafka_replay.as_ref().map(offsets).transpose()?;
    Ok(RestoredPositions {
        replay: written.replay.clone(),
        kafka: reached.map(|reached| (reached.clone(), replay.unwrap_or(reached))),
    })
}

/// Starts the writer of the state; returns what the evaluator and the committer need of it.
pub(super) fn start_writer(
    context: &LeadershipContext,
    parts: &Supervisor,
    flavours: &[Flavour],
    epoch: i64,
) -> anyhow::Result<(Option<StateFreezing>, Option<Sender<StateToWrite>>)> {
    let settings = &context.settings.state;
    let metrics = &context.health.metrics.state;
    let Some(dir) = settings.dir.clone() else {
        metrics.enabled.set(0);
        return Ok((None, None));
    };
    metrics.enabled.set(1);
    let (written, queue) = crossbeam_channel::bounded(1);
    let writer = StateWriter {
        dir,
        keys: context.provenance_key.clone(),
        metrics,
    };
    let stop = parts.stop_token();
    parts
        .spawn_thread("sluice-state", move || {
            writer.run(&queue);
            // The committer goes first; a part that ends before the stop has died.
            while !stop.is_cancelled() {
                std::thread::sleep(STOP_POLL_INTERVAL);
            }
            Ok(())
        })
        .context("the thread that writes the state")?;
    let interval_us = i64::try_from(settings.interval().as_micros()).unwrap_or(i64::MAX);
    let servers = context.servers.iter().zip(flavours);
    let freezing = StateFreezing {
        sources: servers
            .map(|(server, flavour)| server.source(*flavour))
            .collect(),
        interval: settings.interval(),
        epoch,
        is_taken: Arc::new(AtomicBool::new(false)),
        missed: 0,
        next_us: now_us().saturating_add(interval_us),
    };
    Ok((Some(freezing), Some(written)))
}
