//! One reign: from taking the lease to losing it. Its parts are built in the order
//! of their dependence and all end with it.

use crate::audit::settings::LostPositionPolicy;
use crate::audit::{self, gap, schedule};
use crate::binlog::preflight;
use crate::binlog::servers::SourceServer;
use crate::context::SidecarContext;
use crate::health::blind::BlindCause;
use crate::kafka::dead_letters::DeadLetterQueue;
use crate::leader::repo::{self, CheckpointRow, LEASE_TTL_US};
use crate::pipeline::commit::{BatchCommitter, LeadershipEnd};
use crate::pipeline::readers::{SourceReaders, thread};
use crate::pipeline::{MAX_QUEUED_MESSAGES, evaluate};
use crate::recording::Recorder;
use crate::rules::runtime::rule_set::RuleSet;
use crate::stream::feed::FeedSender;
use crate::stream::gtid::Flavour;
use crate::stream::position::StartPosition;
use crate::verdicts::shadow_limit::ShadowLimiter;
use anyhow::Context;
use mysql_async::Pool;
use sluice_contract::clock::now_us;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How often a standby looks whether the lease is free.
const STANDBY_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// A database that does not answer within this is tried again.
const LEASE_QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// Waits for the lease. None if the program is to end.
pub async fn lease(parts: &SidecarContext) -> Option<i64> {
    loop {
        let silent = || Err(anyhow::anyhow!("no answer within 2 s"));
        let taken = tokio::time::timeout(LEASE_QUERY_TIMEOUT, take(parts))
            .await
            .unwrap_or_else(|_| silent());
        match taken {
            Ok(Ok(epoch)) => {
                // Before the lease's cause goes: not for a moment does it look as if we saw.
                parts
                    .servers
                    .iter()
                    .for_each(|server| server.blind.set(BlindCause::Binlog, "connecting"));
                if !parts.config.kafka.brokers.is_empty() {
                    parts.blind.set(BlindCause::Kafka, "connecting");
                }
                parts.blind.clear(BlindCause::Standby);
                parts.status.update(|s| s.leads(epoch, now_us()));
                tracing::info!(epoch, owner = parts.config.instance, "active");
                return Some(epoch);
            }
            Ok(Err(held)) => {
                parts.status.update(|s| s.role = "standby");
                parts.blind.set(
                    BlindCause::Standby,
                    format!("lease held by {} (epoch {})", held.owner, held.epoch),
                );
            }
            Err(error) => parts.blind.set(
                BlindCause::Standby,
                format!("the lease can't be read, still trying: {error:#}"),
            ),
        }
        tokio::select! {
            () = parts.cancel.cancelled() => return None,
            () = tokio::time::sleep(STANDBY_POLL_INTERVAL) => {}
        }
    }
}

async fn take(parts: &SidecarContext) -> anyhow::Result<Result<i64, repo::LeaseHolder>> {
    let mut conn = parts.pool.get_conn().await?;
    let us = (parts.config.instance.as_str(), parts.status.read().epoch);
    Ok(repo::reacquire(&mut conn, &parts.schemas, us, now_us(), LEASE_TTL_US).await?)
}

/// Where the sources begin.
pub struct StartPoints {
    /// One per server, and whether it begins at its oldest file.
    pub binlogs: Vec<(CheckpointRow, StartPosition)>,
    pub kafka: Option<CheckpointRow>,
    /// Without such a checkpoint: Kafka is read from what was published then.
    pub kafka_from_us: Option<i64>,
}

async fn begin(
    parts: &SidecarContext,
    epoch: i64,
    flavours: &[Flavour],
    rules: &Arc<RuleSet>,
) -> anyhow::Result<StartPoints> {
    let mut conn = parts.pool.get_conn().await?;
    let kafka = repo::read_checkpoint(&mut conn, &parts.schemas, "kafka").await?;
    let kafka_from_us = match kafka {
        None if parts.config.start == StartPosition::Now
            && !parts.config.kafka.brokers.is_empty() =>
        {
            Some(kafka_start_us(parts, flavours, rules).await?)
        }
        _ => None,
    };
    let mut all = parts.servers.iter().zip(flavours);
    let (first, flavour) = all.next().context("mysql.url names no server")?;
    // The others first: what a check of the data at rest sees comes after them.
    let mut binlogs = Vec::new();
    for (server, flavour) in all {
        binlogs.push(start_point_of(parts, server, *flavour, rules.hash()).await?);
    }
    let check = parts.config.on_lost_position == LostPositionPolicy::Check;
    let stored = repo::read_checkpoint(&mut conn, &parts.schemas, &first.source(*flavour)).await?;
    drop(conn);
    let closed = match &stored {
        Some(row)
            if check && *flavour != Flavour::Feed && gap::is_lost(parts, *flavour, row).await? =>
        {
            true
        }
        None if check && parts.config.start == StartPosition::Now && *flavour != Flavour::Feed => {
            let known = audit::run::servers(parts, *flavour);
            known
                .inspect_err(|error| tracing::warn!("the past is not checked: {error:#}"))
                .is_ok()
        }
        _ => false,
    };
    let begun = match closed {
        true => (
            gap::close(parts, epoch, *flavour, rules, stored.as_ref()).await?,
            StartPosition::Now,
        ),
        false => start_point_of(parts, first, *flavour, rules.hash()).await?,
    };
    binlogs.insert(0, begun);
    Ok(StartPoints {
        binlogs,
        kafka,
        kafka_from_us,
    })
}

/// From when on Kafka is read without a checkpoint: long enough before the rows that this
/// run is the first to judge. Those come after the binlog's last commit, or from now on;
/// asked before any position is taken.
async fn kafka_start_us(
    parts: &SidecarContext,
    flavours: &[Flavour],
    rules: &RuleSet,
) -> anyhow::Result<i64> {
    let mut conn = parts.pool.get_conn().await?;
    let mut from_us = now_us();
    for (server, flavour) in parts.servers.iter().zip(flavours) {
        let committed =
            repo::committed_us(&mut conn, &parts.schemas, &server.source(*flavour)).await?;
        from_us = from_us.min(committed.unwrap_or(from_us));
    }
    Ok(from_us.saturating_sub(rules.look_back_us()))
}

/// Where one server's binlog begins: at its checkpoint, or where the settings say.
async fn start_point_of(
    parts: &SidecarContext,
    server: &SourceServer,
    flavour: Flavour,
    rules_hash: &str,
) -> anyhow::Result<(CheckpointRow, StartPosition)> {
    let mut conn = parts.pool.get_conn().await?;
    let source = server.source(flavour);
    if let Some(row) = repo::read_checkpoint(&mut conn, &parts.schemas, &source).await? {
        return Ok((row, StartPosition::Now));
    }
    let start = parts.config.start;
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
        repo::write_checkpoint(
            &mut conn,
            &parts.schemas,
            std::slice::from_ref(&row),
            rules_hash,
            now_us(),
        )
        .await?;
    }
    Ok((row, start))
}

/// Reigns until cancelled or deposed. An error ends the program: its supervisor
/// starts it again from the checkpoint.
pub async fn lead(
    parts: &Arc<SidecarContext>,
    epoch: i64,
    flavours: &[Flavour],
    rules: Arc<RuleSet>,
) -> anyhow::Result<LeadershipEnd> {
    // Verdicts go where they were read, even if another host takes over meanwhile.
    let pool = parts.pool.commit_pool();
    let flavour = *flavours.first().context("mysql.url names no server")?;
    let begin = begin(parts, epoch, flavours, &rules)
        .await
        .context("reading the checkpoint")?;
    parts.fence.begins();
    let cancel = parts.cancel.child_token();
    let _ends_with_us = cancel.clone().drop_guard();
    let (feed, fed) = crossbeam_channel::bounded(MAX_QUEUED_MESSAGES);
    let (died, mut dead) = mpsc::channel(8);
    let moved = cancel.child_token();
    let (lost, mut is_lost) = mpsc::channel(1);
    let tell = may_be_skipped(parts, flavour).then(|| lost.clone());
    let mut readers = SourceReaders {
        servers: &parts.servers,
        schemas: &parts.schemas,
        server_id: parts.config.mysql.server_id,
        kafka: &parts.config.kafka,
        begin: &begin,
        flavours,
        feed: FeedSender::new(feed, cancel.clone()),
        cancel: &cancel,
        blind: &parts.blind,
        status: &parts.status,
        metrics: parts.metrics,
        died: &died,
        threads: Vec::new(),
    };
    let kafka_gate = readers.kafka()?;
    let server_gate = readers.server_ends()?;
    readers.binlogs(&moved, tell.as_ref())?;
    let mut threads = readers.started();

    let worker = evaluate::StreamEvaluator::new(evaluate::StreamEvaluatorSettings {
        flavours: flavours.to_vec(),
        names: parts.servers.iter().map(|s| s.name.clone()).collect(),
        positions: begin
            .binlogs
            .iter()
            .map(|(row, _)| row.replay_from.clone())
            .collect(),
        server_gate,
        kafka_gate,
        kafka_activity: parts.kafka_activity.clone(),
        rules: Arc::clone(&rules),
        reloads: parts.rules.clone(),
        metrics: parts.metrics,
        kafka_from_us: begin.kafka_from_us,
        tap: parts.recorder.as_ref().and_then(Recorder::tap),
        mid_stream: false,
        workers: parts.config.workers,
    })?;
    let (results, mut evaluated) = evaluate::results();
    threads.push(thread("sluice-evaluate", &died, move || {
        worker.run(&fed, &results)
    })?);

    let replay_from = begin
        .binlogs
        .first()
        .map(|(row, _)| row.replay_from.clone())
        .unwrap_or_default();
    let committer = committer(parts, epoch, pool, begin, &rules, &cancel)?;
    let mut snapshots = tokio::spawn(schedule::keep(Arc::clone(parts), epoch, flavour));
    let end = tokio::select! {
        end = committer.run(&mut evaluated) => end,
        Some(error) = dead.recv() => LeadershipEnd::Died(error),
        () = moved.cancelled(), if !cancel.is_cancelled() => LeadershipEnd::Moved,
        Some(()) = is_lost.recv() => {
            parts.audit.lost(&replay_from);
            LeadershipEnd::PositionLost
        }
        ended = &mut snapshots => match ended {
            Ok(()) => LeadershipEnd::LeaseLost,
            Err(panic) => LeadershipEnd::Died(anyhow::Error::from(panic).context("snapshots")),
        },
    };
    snapshots.abort();
    cancel.cancel();
    drop(evaluated);
    tokio::task::spawn_blocking(move || threads.into_iter().for_each(|t| drop(t.join()))).await?;
    Ok(end)
}

fn committer(
    parts: &SidecarContext,
    epoch: i64,
    pool: Pool,
    begin: StartPoints,
    rules: &RuleSet,
    cancel: &CancellationToken,
) -> anyhow::Result<BatchCommitter> {
    let mut binlogs = begin.binlogs.into_iter().map(|(row, _)| row);
    Ok(BatchCommitter {
        pool,
        schemas: parts.schemas.clone(),
        owner: parts.config.instance.clone(),
        epoch,
        checkpoint: Duration::from_millis(parts.config.checkpoint_interval_ms),
        fence: parts.fence.clone(),
        blind: parts.blind.clone(),
        status: parts.status.clone(),
        metrics: parts.metrics,
        cancel: cancel.clone(),
        binlog: binlogs.next().context("mysql.url names no server")?,
        also: binlogs.collect(),
        kafka: begin.kafka,
        rules_hash: rules.hash().chars().take(16).collect(),
        dead_letters: DeadLetterQueue::default(),
        shadow: ShadowLimiter::default(),
        rules: parts.rules.clone(),
        rules_changed: Arc::clone(&parts.rules_changed),
        split_books: parts.config.mysql.split_books,
    })
}

/// Whether a lost position is given up for a check of the data at rest; else it waits
/// for a person.
fn may_be_skipped(parts: &SidecarContext, flavour: Flavour) -> bool {
    parts.config.on_lost_position == LostPositionPolicy::Check
        && flavour != Flavour::Feed
        && audit::run::servers(parts, flavour).is_ok()
}

/// Ends a reign in order.
pub async fn step_down(parts: &SidecarContext, epoch: i64) {
    let released = async {
        let mut conn = parts.pool.get_conn().await?;
        repo::release(&mut conn, &parts.schemas, &parts.config.instance, epoch).await
    };
    match tokio::time::timeout(Duration::from_secs(1), released).await {
        Ok(Ok(())) => tracing::info!(epoch, "lease released"),
        _ => tracing::warn!("the lease could not be released; a standby waits until it runs out"),
    }
}
