//! Start points: where each source of a new leadership begins to read.

use crate::audit::run::{self, gap, lost_position};
use crate::audit::settings::LostPositionPolicy;
use crate::audit::sql::entries_sql;
use crate::binlog::preflight;
use crate::binlog::servers::SourceServer;
use crate::guard_rows::mark::GuardMark;
use crate::leader::checkpoint_repo::{self, CheckpointRow, StoredCheckpoint};
use crate::leader::clock_repo;
use crate::pipeline::leadership::LeadershipContext;
use crate::pipeline::leadership::written_state;
use crate::rules::GuardBreach;
use crate::rules::runtime::rule_set::RuleSet;
use crate::state_file::WrittenState;
use crate::stream::gtid::{Flavour, GtidSet};
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
    /// Checkpoints that are gone, or that no sidecar wrote.
    pub breaches: Vec<GuardBreach>,
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

/// A source's checkpoint, or this host's copy in its place.
struct FoundCheckpoint {
    row: Option<CheckpointRow>,
    /// Why the stored one is not believed.
    breach: Option<GuardBreach>,
}

/// Reads the checkpoint of every source; closes the gap first if the first server's
/// position is lost, and writes a first checkpoint where there is none.
pub(super) async fn find(
    context: &LeadershipContext,
    epoch: i64,
    flavours: &[Flavour],
    rules: &Arc<RuleSet>,
) -> anyhow::Result<StartPoints> {
    let mut all = context.servers.iter().zip(flavours);
    let (first, flavour) = all.next().context("mysql.url names no server")?;
    let foreign_mark = begin_mark(context, first, *flavour).await?;
    let found = checkpoint_of(context, "kafka").await?;
    let (kafka, mut breaches) = (found.row, Vec::from_iter(found.breach));
    breaches.extend(foreign_mark);
    let clock_lead_us = {
        let mut conn = context.db.conn().await?;
        let main = first.source(*flavour);
        clock_repo::clock_lead_us(&mut conn, &context.db.schemas, &main).await?
    };
    let clock_lead_us = clock_lead_us.unwrap_or(0);
    let mut state = written_state::find(context, flavours, kafka.as_ref()).await?;
    let first_start = kafka.is_none()
        && context.settings.start == StartPosition::Now
        && !context.settings.kafka.brokers.is_empty();
    let kafka_from_us = match first_start {
        true => Some(kafka_start_us(context, flavours, rules).await?),
        false => None,
    };
    // The others first: what a check of the data at rest sees comes after them.
    let mut binlogs = Vec::new();
    for (server, flavour) in all {
        let found = checkpoint_of(context, &server.source(*flavour)).await?;
        breaches.extend(found.breach);
        binlogs.push(start_point_of(context, server, *flavour, rules.hash(), found.row).await?);
    }
    let found = checkpoint_of(context, &first.source(*flavour)).await?;
    breaches.extend(found.breach.clone());
    if !breaches.is_empty() {
        // What was written is compared with checkpoints, and one of them is nobody's.
        state = None;
    }
    let first = (first, *flavour);
    let begun = first_start_point(context, epoch, first, rules, (found, &mut state)).await?;
    binlogs.insert(0, begun);
    Ok(StartPoints {
        binlogs,
        kafka,
        kafka_from_us,
        state,
        clock_lead_us,
        breaches,
    })
}

/// Learns the mark from which on every row is signed, or sets it at the very first start. One
/// that is gone, put back or nobody's is told, and this host's copy holds in its place:
/// deleting it while nobody runs must not switch the signatures off.
async fn begin_mark(
    context: &LeadershipContext,
    server: &SourceServer,
    flavour: Flavour,
) -> anyhow::Result<Option<GuardBreach>> {
    let position = match flavour {
        Flavour::Feed => String::new(),
        _ => preflight::position(&mut server.hosts.get_conn().await?, flavour).await?,
    };
    let mut conn = context.db.conn().await?;
    let rows = context.db.seal.rows();
    let copy = context.db.local.read_mark();
    let is_known = copy.is_some() || rows.is_sealed();
    if let Some((version, position, entries_from_us)) = copy {
        rows.learn_copy(version, position, entries_from_us);
    }
    let schemas = &context.db.schemas;
    let entries_from_us = match rows.is_first_start(&mut conn, schemas).await? {
        true => first_sealed_entry(context, flavour).await?,
        false => None,
    };
    let stored = rows
        .begin(&mut conn, schemas, &position, entries_from_us)
        .await?;
    let breach = stored.fault(is_known).map(GuardBreach::of_mark);
    if let Some(breach) = &breach {
        tracing::error!("{}", breach.what);
    }
    Ok(breach)
}

/// Time from which on each ledger entry must have a seal, at the very first start: 0 if there is
/// none yet and cores write seals. Beside entries of before, or a core that may still write
/// such, only a person can tell.
async fn first_sealed_entry(
    context: &LeadershipContext,
    flavour: Flavour,
) -> anyhow::Result<Option<i64>> {
    let servers = match run::servers(&context.audit, flavour) {
        Ok(servers) => servers,
        Err(error) => {
            tracing::warn!("it is not known whether the ledger is empty: {error:#}");
            return Ok(None);
        }
    };
    let mut conn = servers.ledger_conn().await?;
    let is_new = entries_sql::is_empty_with_seals(&mut conn, &servers.schemas);
    let is_new = is_new
        .await
        .context("asking whether the ledger is empty: from then on each entry must be sealed")?;
    Ok(is_new.then_some(0))
}

/// Whether all that is read from `position` on was committed after the mark, so that every row
/// must be signed. A feed's position can't be compared with it: there every row must be, once
/// there is a mark. `position` is where reading begins, not what the checkpoint asks for: a
/// mark between the two would never be passed.
pub(super) fn is_behind_mark(
    mark: Option<GuardMark>,
    flavour: Flavour,
    position: &str,
) -> anyhow::Result<bool> {
    let Some(mark) = mark else {
        tracing::warn!(
            "rows of the guard need no signature yet: once no program of before it runs, say `sluice guard seal`"
        );
        return Ok(false);
    };
    if flavour == Flavour::Feed {
        return Ok(true);
    }
    let from = GtidSet::parse(flavour, position)?;
    // One of a feed, which was read before: long ago, or rows would be told at worst.
    let Ok(marked) = GtidSet::parse(flavour, &mark.position) else {
        return Ok(true);
    };
    Ok(from.lacks(&marked) == 0)
}

/// Reads a source's checkpoint. One that is gone, or that no sidecar wrote, is told, and
/// reading goes on from this host's copy: so nothing is passed over, not even the deletion.
async fn checkpoint_of(
    context: &LeadershipContext,
    source: &str,
) -> anyhow::Result<FoundCheckpoint> {
    let db = &context.db;
    let mut conn = db.conn().await?;
    let stored =
        checkpoint_repo::read_signed(&mut conn, &db.schemas, db.seal.rows(), source).await?;
    let what = match stored {
        StoredCheckpoint::Whole(row) => {
            return Ok(FoundCheckpoint {
                row: Some(row),
                breach: None,
            });
        }
        StoredCheckpoint::Unsigned(_) => "no sidecar wrote the one that stands there",
        StoredCheckpoint::Missing => "it is gone",
    };
    let copy = db.local.read(source);
    let is_missed = what != "it is gone"
        || (source == "binlog" && checkpoint_repo::has_gap(&mut conn, &db.schemas).await?);
    let then = match &copy {
        Some(copy) => format!("read on from this host's copy at {}", copy.position),
        None if is_missed => "what lies between was not read".to_owned(),
        None => {
            return Ok(FoundCheckpoint {
                row: None,
                breach: None,
            });
        }
    };
    let breach = GuardBreach {
        table: "checkpoint".to_owned(),
        what: format!("the checkpoint of {source}: {what}; {then}"),
        count: 1,
    };
    tracing::error!("{}", breach.what);
    Ok(FoundCheckpoint {
        row: copy,
        breach: Some(breach),
    })
}

/// Start of the first server, whose gap may be closed by an audit.
async fn first_start_point(
    context: &LeadershipContext,
    epoch: i64,
    (server, flavour): (&SourceServer, Flavour),
    rules: &Arc<RuleSet>,
    (found, state): (FoundCheckpoint, &mut Option<WrittenState>),
) -> anyhow::Result<(CheckpointRow, StartPosition)> {
    let stored = found.row;
    // Of a checkpoint that was taken away nothing is known: not a first start, but a gap.
    let unknown = CheckpointRow {
        source: server.source(flavour),
        position: String::new(),
        replay_from: String::new(),
    };
    let lost = stored.as_ref().or(found.breach.as_ref().map(|_| &unknown));
    let mut read = stored.clone();
    if let (Some(row), Some(written)) = (&mut read, state.as_ref())
        && let Some(position) = written.header.positions.positions.first()
    {
        row.replay_from.clone_from(position);
    }
    if needs_closing(context, flavour, read.as_ref()).await? {
        // What lies between is not known to what was written before it.
        *state = None;
        let row = gap::close(&context.audit, epoch, flavour, rules, lost).await?;
        return Ok((row, StartPosition::Now));
    }
    start_point_of(context, server, flavour, rules.hash(), stored).await
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
    stored: Option<CheckpointRow>,
) -> anyhow::Result<(CheckpointRow, StartPosition)> {
    let mut conn = context.db.conn().await?;
    let schemas = &context.db.schemas;
    let source = server.source(flavour);
    if let Some(row) = stored {
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
        let written = (std::slice::from_ref(&row), rules_hash, now_us());
        let signed = context.db.seal.rows();
        checkpoint_repo::write_checkpoint(&mut conn, schemas, signed, written).await?;
    }
    Ok((row, start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_behind_the_mark_from_where_it_is_read() -> anyhow::Result<()> {
        let mark = GuardMark {
            version: 1,
            position: "0-1-50".to_owned(),
            unsigned_month: String::new(),
            sealed_by: "ann".to_owned(),
            sealed_us: 1,
        };
        let behind = |flavour, position| is_behind_mark(Some(mark.clone()), flavour, position);
        // The checkpoint asks for 40, the written state goes on from 60: the mark is not read.
        assert!(!behind(Flavour::MariaDb, "0-1-40")?);
        assert!(behind(Flavour::MariaDb, "0-1-50")?);
        assert!(behind(Flavour::MariaDb, "0-1-60")?);
        assert!(!behind(Flavour::MariaDb, "")?);
        assert!(behind(Flavour::Feed, "anything")?);
        assert!(!is_behind_mark(None, Flavour::MariaDb, "0-1-60")?);
        Ok(())
    }
}
