//! Start points: where each source of a new leadership begins to read.

use crate::audit::run::{self, gap, lost_position};
use crate::audit::settings::LostPositionPolicy;
use crate::binlog::preflight;
use crate::binlog::servers::SourceServer;
use crate::leader::checkpoint_repo::{self, CheckpointRow};
use crate::leader::clock_repo;
use crate::pipeline::leadership::LeadershipContext;
use crate::pipeline::leadership::written_state;
use crate::rules::runtime::rule_set::RuleSet;
use crate::state_file::WrittenState;
use crate::stream::gtid::Flavour;
use crate::stream::position::StartPosition;
use anyhow::Context;
use sluice_contract::clock::now_us;
use std::sync::Arc;

/// Positions from which the sources of one leadership are read.
pub struct StartPoints {
    /// One per server, and whether it begins at its oldest file.
    pub binlogs: Vec<(CheckpointRow, StartPosition)>,
    pub kafka: Option<CheckpointRow>,
    /// Without such a checkpoint: Kafka is read from what was published then, in µs.
    pub kafka_from_us: Option<i64>,
    /// The written state, if it can be gone on from.
    pub state: Option<WrittenState>,
    /// Time by which our clock is ahead of the one that led before, in µs.
    pub clock_lead_us: i64,
}

impl StartPoints {
    /// Position from which a server is read.
    pub fn read_from(&self, number: usize) -> &str {
        let written = self.state.as_ref();
        written
            .and_then(|state| state.header.positions.positions.get(number))
            .or_else(|| self.binlogs.get(number).map(|(row, _)| &row.replay_from))
            .map_or("", String::as_str)
    }

    /// Positions from which all servers are read.
    pub fn read_positions(&self) -> Vec<String> {
        let numbers = 0..self.binlogs.len();
        numbers
            .map(|number| self.read_from(number).to_owned())
            .collect()
    }

    /// Offsets from which Kafka is read, if any are known.
    pub fn kafka_from(&self) -> Option<&str> {
        let written = self.state.as_ref();
        written
            .and_then(|state| state.header.positions.kafka.as_deref())
            .or_else(|| self.kafka.as_ref().map(|row| row.replay_from.as_str()))
    }
}

/// Reads the checkpoint of every source; closes the gap first if the first server's
/// position is lost, and writes a first checkpoint where there is none.
pub(super) async fn find(
    context: &LeadershipContext,
    epoch: i64,
    flavours: &[Flavour],
    rules: &Arc<RuleSet>,
) -> anyhow::Result<StartPoints> {
    let mut conn = context.db.conn().await?;
    let kafka = checkpoint_repo::read_checkpoint(&mut conn, &context.db.schemas, "kafka").await?;
    let main = context.servers.first().zip(flavours.first());
    let main = main.map(|(server, flavour)| server.source(*flavour));
    let main = main.unwrap_or_default();
    let lead_us = clock_repo::clock_lead_us(&mut conn, &context.db.schemas, &main).await?;
    let clock_lead_us = lead_us.unwrap_or(0);
    drop(conn);
    let mut state = written_state::find(context, flavours, kafka.as_ref()).await?;
    let first_start = kafka.is_none()
        && context.settings.start == StartPosition::Now
        && !context.settings.kafka.brokers.is_empty();
    let kafka_from_us = match first_start {
        true => Some(kafka_start_us(context, flavours, rules).await?),
        false => None,
    };
    let mut all = context.servers.iter().zip(flavours);
    let (first, flavour) = all.next().context("mysql.url names no server")?;
    // The others first: what a check of the data at rest sees comes after them.
    let mut binlogs = Vec::new();
    for (server, flavour) in all {
        binlogs.push(start_point_of(context, server, *flavour, rules.hash()).await?);
    }
    let begun = first_start_point(context, epoch, (first, *flavour), rules, &mut state).await?;
    binlogs.insert(0, begun);
    Ok(StartPoints {
        binlogs,
        kafka,
        kafka_from_us,
        state,
        clock_lead_us,
    })
}

/// Start of the first server, whose gap may be closed by an audit.
async fn first_start_point(
    context: &LeadershipContext,
    epoch: i64,
    (server, flavour): (&SourceServer, Flavour),
    rules: &Arc<RuleSet>,
    state: &mut Option<WrittenState>,
) -> anyhow::Result<(CheckpointRow, StartPosition)> {
    let mut conn = context.db.conn().await?;
    let source = server.source(flavour);
    let stored = checkpoint_repo::read_checkpoint(&mut conn, &context.db.schemas, &source).await?;
    drop(conn);
    let mut read = stored.clone();
    if let (Some(row), Some(written)) = (&mut read, state.as_ref())
        && let Some(position) = written.header.positions.positions.first()
    {
        row.replay_from.clone_from(position);
    }
    if needs_closing(context, flavour, read.as_ref()).await? {
        // What lies between is not known to what was written before it.
        *state = None;
        let row = gap::close(&context.audit, epoch, flavour, rules, stored.as_ref()).await?;
        return Ok((row, StartPosition::Now));
    }
    start_point_of(context, server, flavour, rules.hash()).await
}

async fn needs_closing(
    context: &LeadershipContext,
    flavour: Flavour,
    stored: Option<&CheckpointRow>,
) -> anyhow::Result<bool> {
    let check = context.settings.on_lost_position == LostPositionPolicy::Check;
    if !check || flavour == Flavour::Feed {
        return Ok(false);
    }
    match stored {
        Some(row) => lost_position::is_lost(&context.audit, flavour, row).await,
        None if context.settings.start == StartPosition::Now => {
            let known = run::servers(&context.audit, flavour);
            Ok(known
                .inspect_err(|error| tracing::warn!("the past is not checked: {error:#}"))
                .is_ok())
        }
        None => Ok(false),
    }
}

/// Moment from which Kafka is read without a checkpoint: long enough before the rows that
/// this run is the first to judge. Those come after the binlog's last commit, or from now
/// on; asked before any position is taken.
async fn kafka_start_us(
    context: &LeadershipContext,
    flavours: &[Flavour],
    rules: &RuleSet,
) -> anyhow::Result<i64> {
    let mut conn = context.db.conn().await?;
    let mut from_us = now_us();
    for (server, flavour) in context.servers.iter().zip(flavours) {
        let source = server.source(*flavour);
        let committed =
            checkpoint_repo::committed_us(&mut conn, &context.db.schemas, &source).await?;
        from_us = from_us.min(committed.unwrap_or(from_us));
    }
    Ok(from_us.saturating_sub(rules.look_back_us()))
}

/// Start of one server's binlog: at its checkpoint, or where the settings say.
async fn start_point_of(
    context: &LeadershipContext,
    server: &SourceServer,
    flavour: Flavour,
    rules_hash: &str,
) -> anyhow::Result<(CheckpointRow, StartPosition)> {
    let mut conn = context.db.conn().await?;
    let schemas = &context.db.schemas;
    let source = server.source(flavour);
    if let Some(row) = checkpoint_repo::read_checkpoint(&mut conn, schemas, &source).await? {
        return Ok((row, StartPosition::Now));
    }
    let start = context.settings.start;
    let position = match start {
        // The feed's reader finds its ends itself.
        _ if flavour == Flavour::Feed => String::new(),
        StartPosition::Now => {
            preflight::position(&mut server.hosts.get_conn().await?, flavour).await?
        }
        StartPosition::Oldest => String::new(),
    };
    tracing::info!(source, position, ?start, "no checkpoint: the first start");
    let row = CheckpointRow {
        source,
        position: position.clone(),
        replay_from: position,
    };
    if start == StartPosition::Now && flavour != Flavour::Feed {
        // Written at once: a crash before the first commit must not lose what came between.
        let rows = std::slice::from_ref(&row);
        checkpoint_repo::write_checkpoint(&mut conn, schemas, rows, rules_hash, now_us()).await?;
    }
    Ok((row, start))
}
