//! One reign: from taking the lease to losing it. Its parts are built in the order
//! of their dependence and all end with it.

use super::commit::{Committer, End, LEASE_US};
use super::repo::{self, Checkpoint};
use super::{FEED_QUEUE, Feed, barrier, evaluate};
use crate::Parts;
use crate::blind::Cause;
use crate::rules::RuleSet;
use crate::snapshot::settings::OnLost;
use crate::snapshot::{self, gap, schedule};
use crate::sources::gtid::Flavour;
use crate::sources::offsets::Offsets;
use crate::sources::{Start, binlog, kafka, preflight};
use anyhow::Context;
use crossbeam_channel::Sender;
use sluice_contract::clock::now_us;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How often a standby looks whether the lease is free.
const STANDBY: Duration = Duration::from_millis(500);

/// A database that does not answer within this is tried again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Waits for the lease. None if the program is to end.
pub async fn lease(parts: &Parts) -> Option<i64> {
    loop {
        let silent = || Err(anyhow::anyhow!("no answer within 2 s"));
        let taken = tokio::time::timeout(PATIENCE, take(parts)).await.unwrap_or_else(|_| silent());
        match taken {
            Ok(Ok(epoch)) => {
                // First: with no cause at all it would look as if it saw already.
                parts.blind.set(Cause::Binlog, "beginning");
                parts.blind.clear(Cause::Standby);
                parts.status.update(|s| {
                    (s.role, s.epoch) = ("active", epoch);
                    // Lag counts from here until the first heartbeat comes back.
                    s.heartbeat_us = now_us();
                });
                tracing::info!(epoch, owner = parts.config.instance, "active");
                return Some(epoch);
            }
            Ok(Err(held)) => {
                parts.status.update(|s| s.role = "standby");
                parts.blind.set(Cause::Standby, format!("lease held by {} (epoch {})", held.owner, held.epoch));
            }
            Err(error) => parts.blind.set(Cause::Standby, format!("the lease can't be read, still trying: {error:#}")),
        }
        tokio::select! {
            () = parts.cancel.cancelled() => return None,
            () = tokio::time::sleep(STANDBY) => {}
        }
    }
}

async fn take(parts: &Parts) -> anyhow::Result<Result<i64, repo::Holder>> {
    let mut conn = parts.pool.get_conn().await?;
    Ok(repo::acquire(&mut conn, &parts.schemas, &parts.config.instance, now_us(), LEASE_US).await?)
}

/// Where both sources begin.
struct Begin {
    binlog: Checkpoint,
    kafka: Option<Checkpoint>,
    start: Start,
}

async fn begin(parts: &Parts, epoch: i64, flavour: Flavour, rules: &Arc<RuleSet>) -> anyhow::Result<Begin> {
    let check = parts.config.on_lost_position == OnLost::Check;
    let mut conn = parts.pool.get_conn().await?;
    let kafka = repo::read_checkpoint(&mut conn, &parts.schemas, "kafka").await?;
    if let Some(mut binlog) = repo::read_checkpoint(&mut conn, &parts.schemas, "binlog").await? {
        drop(conn);
        if check && gap::is_lost(parts, flavour, &binlog).await? {
            binlog = gap::close(parts, epoch, flavour, rules, Some(&binlog)).await?;
        }
        return Ok(Begin { binlog, kafka, start: Start::Now });
    }
    let start = parts.config.start;
    if check && start == Start::Now {
        drop(conn);
        match snapshot::run::servers(parts, flavour) {
            Ok(_) => {
                let binlog = gap::close(parts, epoch, flavour, rules, None).await?;
                return Ok(Begin { binlog, kafka, start });
            }
            Err(error) => tracing::warn!("the past is not checked: {error:#}"),
        }
        conn = parts.pool.get_conn().await?;
    }
    let position = match start {
        Start::Now => preflight::position(&mut conn, flavour).await?,
        Start::Oldest => String::new(),
    };
    tracing::info!(position, ?start, "no checkpoint: the first start");
    let binlog = Checkpoint { source: "binlog".to_owned(), position: position.clone(), replay_from: position };
    if start == Start::Now {
        // Written at once: a crash before the first commit must not lose what came between.
        repo::write_checkpoint(&mut conn, &parts.schemas, std::slice::from_ref(&binlog), rules.hash(), now_us())
            .await?;
    }
    Ok(Begin { binlog, kafka, start })
}

/// Reigns until cancelled or deposed. An error ends the program: its supervisor
/// starts it again from the checkpoint.
pub async fn reign(parts: &Arc<Parts>, epoch: i64, flavour: Flavour, rules: Arc<RuleSet>) -> anyhow::Result<End> {
    let begin = begin(parts, epoch, flavour, &rules).await.context("reading the checkpoint")?;
    let after_gap = gap::is_recent(parts).await?;
    let cancel = parts.cancel.child_token();
    let _ends_with_us = cancel.clone().drop_guard();
    let (feed, fed) = crossbeam_channel::bounded(FEED_QUEUE);
    let (died, mut dead) = mpsc::channel(8);
    let mut threads = Vec::new();

    let bell = start_kafka(parts, &begin, &feed, &cancel, &died, &mut threads)?;
    let (lost, mut is_lost) = mpsc::channel(1);
    let reader = reader(parts, flavour, &begin, feed, &cancel, lost.clone())?;
    parts.blind.set(Cause::Binlog, "connecting");
    threads.push(thread("sluice-binlog", &died, move || reader.run())?);

    let worker = evaluate::Worker::new(evaluate::Settings {
        flavour,
        position: begin.binlog.replay_from.clone(),
        rules: Arc::clone(&rules),
        reloads: parts.rules.clone(),
        bell,
        metrics: parts.metrics,
        after_gap,
    })?;
    let (results, mut evaluated) = evaluate::results();
    threads.push(thread("sluice-evaluate", &died, move || {
        worker.run(&fed, &results);
        Ok(())
    })?);

    let replay_from = begin.binlog.replay_from.clone();
    let committer = Committer {
        pool: parts.pool.clone(),
        schemas: parts.schemas.clone(),
        owner: parts.config.instance.clone(),
        epoch,
        checkpoint: Duration::from_millis(parts.config.checkpoint_ms),
        fence: parts.fence.clone(),
        blind: parts.blind.clone(),
        status: parts.status.clone(),
        metrics: parts.metrics,
        cancel: cancel.clone(),
        binlog: begin.binlog,
        kafka: begin.kafka,
        rules_hash: rules.hash().chars().take(16).collect(),
    };
    let mut snapshots = tokio::spawn(schedule::keep(Arc::clone(parts), epoch, flavour));
    let end = tokio::select! {
        end = committer.run(&mut evaluated) => end,
        Some(error) = dead.recv() => End::Died(error),
        Some(()) = is_lost.recv() => {
            parts.snapshot.lost(&replay_from);
            End::Lost
        }
        ended = &mut snapshots => match ended {
            Ok(()) => End::Deposed,
            Err(panic) => End::Died(anyhow::Error::from(panic).context("snapshots")),
        },
    };
    snapshots.abort();
    cancel.cancel();
    drop(evaluated);
    tokio::task::spawn_blocking(move || threads.into_iter().for_each(|t| drop(t.join()))).await?;
    Ok(end)
}

/// Tells `lost` of a lost position if it may be given up for a check of the data at
/// rest; else it waits for a person.
fn reader(
    parts: &Parts,
    flavour: Flavour,
    begin: &Begin,
    feed: Sender<Feed>,
    cancel: &CancellationToken,
    lost: mpsc::Sender<()>,
) -> anyhow::Result<binlog::Reader> {
    let settings = binlog::Settings {
        url: parts.config.mysql.url.clone(),
        server_id: parts.config.mysql.server_id,
        schemas: parts.schemas.clone(),
        flavour,
        position: begin.binlog.replay_from.clone(),
        start: begin.start,
    };
    let reader = binlog::Reader::new(settings, feed, parts.blind.clone(), cancel.clone())?;
    let may = parts.config.on_lost_position == OnLost::Check && snapshot::run::servers(parts, flavour).is_ok();
    Ok(if may { reader.telling(lost) } else { reader })
}

type Handle = std::thread::JoinHandle<()>;

/// A named thread whose failure or panic is told; it never dies in silence.
fn thread(
    name: &'static str,
    died: &mpsc::Sender<anyhow::Error>,
    work: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
) -> anyhow::Result<Handle> {
    let died = died.clone();
    let watched = move || {
        let ended = std::panic::catch_unwind(AssertUnwindSafe(work));
        let error = match ended {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.context(name),
            Err(panic) => {
                let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
                anyhow::anyhow!("{name} panicked: {}", said.unwrap_or("no message"))
            }
        };
        // Full or closed: the reign is over already.
        let _ = died.try_send(error);
    };
    Ok(std::thread::Builder::new().name(name.to_owned()).spawn(watched)?)
}

fn start_kafka(
    parts: &Parts,
    begin: &Begin,
    feed: &Sender<Feed>,
    cancel: &CancellationToken,
    died: &mpsc::Sender<anyhow::Error>,
    threads: &mut Vec<Handle>,
) -> anyhow::Result<Option<barrier::Bell>> {
    let settings = &parts.config.kafka;
    if settings.brokers.is_empty() {
        return Ok(None);
    }
    parts.blind.set(Cause::Kafka, "connecting");
    let assigned = Arc::new(AtomicBool::new(false));
    let offsets = begin.kafka.as_ref().map(|row| Offsets::parse(&row.replay_from)).transpose()?;
    let reader = kafka::Reader {
        settings: settings.clone(),
        start: begin.start,
        offsets,
        feed: feed.clone(),
        blind: parts.blind.clone(),
        metrics: parts.metrics,
        cancel: cancel.clone(),
        assigned: Arc::clone(&assigned),
    };
    let (barrier, bell) =
        barrier::barrier(settings.clone(), feed.clone(), parts.blind.clone(), cancel.clone(), assigned);
    threads.push(thread("sluice-kafka", died, move || reader.run())?);
    threads.push(thread("sluice-barrier", died, move || barrier.run())?);
    Ok(Some(bell))
}

/// Ends a reign in order.
pub async fn abdicate(parts: &Parts, epoch: i64) {
    let released = async {
        let mut conn = parts.pool.get_conn().await?;
        repo::release(&mut conn, &parts.schemas, &parts.config.instance, epoch).await
    };
    match tokio::time::timeout(Duration::from_secs(1), released).await {
        Ok(Ok(())) => tracing::info!(epoch, "lease released"),
        _ => tracing::warn!("the lease could not be released; a standby waits until it runs out"),
    }
}
