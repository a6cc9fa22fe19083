//! Start points: where each source of a new leadership begins to read.

use crate::audit::run::{self, gap, lost_position};
use crate::audit::settings::LostPositionPolicy;
use crate::binlog::preflight;
use crate::binlog::servers::SourceServer;
use crate::leader::checkpoint_repo::{self, CheckpointRow};
use crate::pipeline::leadership::LeadershipContext;
use crate::rules::runtime::rule_set::RuleSet;
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
    drop(conn);
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
    let begun = first_start_point(context, epoch, (first, *flavour), rules).await?;
    binlogs.insert(0, begun);
    Ok(StartPoints {
        binlogs,
        kafka,
        kafka_from_us,
    })
}

/// Start of the first server, whose gap may be closed by an audit.
async fn first_start_point(
    context: &LeadershipContext,
    epoch: i64,
    (server, flavour): (&SourceServer, Flavour),
    rules: &Arc<RuleSet>,
) -> anyhow::Result<(CheckpointRow, StartPosition)> {
    let mut conn = context.db.conn().await?;
    let source = server.source(flavour);
    let stored = checkpoint_repo::read_checkpoint(&mut conn, &context.db.schemas, &source).await?;
    drop(conn);
    if needs_closing(context, flavour, stored.as_ref()).await? {
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
    if flavour == Flavour::Feed {
        return Ok(false);
    }
    let may_close = context.settings.on_lost_position == LostPositionPolicy::Check;
    match stored {
        Some(_) if !may_close => Ok(false),
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
