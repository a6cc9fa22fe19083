//! One reign: from taking the lease to losing it. Its parts are built in the order
//! of their dependence and all end with it.

use super::commit::{Committer, End, LEASE_US};
use super::repo::{self, Checkpoint};
use super::{FEED_QUEUE, Feed, barrier, evaluate};
use crate::Parts;
use crate::aside::Asides;
use crate::blind::Cause;
use crate::debezium;
use crate::rules::RuleSet;
use crate::sources::gtid::Flavour;
use crate::sources::offsets::Offsets;
use crate::sources::progress::Progress;
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

async fn begin(parts: &Parts, flavour: Flavour, rules_hash: &str) -> anyhow::Result<Begin> {
    let mut conn = parts.pool.get_conn().await?;
    let kafka = repo::read_checkpoint(&mut conn, &parts.schemas, "kafka").await?;
    // A feed has positions of its own kind, and both may be tried in turn.
    let source = if flavour == Flavour::Feed { "changes" } else { "binlog" };
    if let Some(binlog) = repo::read_checkpoint(&mut conn, &parts.schemas, source).await? {
        return Ok(Begin { binlog, kafka, start: Start::Now });
    }
    let start = parts.config.start;
    let position = match start {
        // The feed's reader finds its ends itself.
        _ if flavour == Flavour::Feed => String::new(),
        Start::Now => preflight::position(&mut conn, flavour).await?,
        Start::Oldest => String::new(),
    };
    tracing::info!(position, ?start, "no checkpoint: the first start");
    let binlog = Checkpoint { source: source.to_owned(), position: position.clone(), replay_from: position };
    if start == Start::Now && flavour != Flavour::Feed {
        // Written at once: a crash before the first commit must not lose what came between.
        repo::write_checkpoint(&mut conn, &parts.schemas, std::slice::from_ref(&binlog), rules_hash, now_us()).await?;
    }
    Ok(Begin { binlog, kafka, start })
}

/// Reigns until cancelled or deposed. An error ends the program: its supervisor
/// starts it again from the checkpoint.
pub async fn reign(parts: &Parts, epoch: i64, flavour: Flavour, rules: Arc<RuleSet>) -> anyhow::Result<End> {
    let begin = begin(parts, flavour, rules.hash()).await.context("reading the checkpoint")?;
    let cancel = parts.cancel.child_token();
    let _ends_with_us = cancel.clone().drop_guard();
    let (feed, fed) = crossbeam_channel::bounded(FEED_QUEUE);
    let (died, mut dead) = mpsc::channel(8);
    let mut threads = Vec::new();

    let bell = start_kafka(parts, &begin, &feed, &cancel, &died, &mut threads)?;
    parts.blind.set(Cause::Binlog, "connecting");
    threads.push(start_changes(parts, &begin, flavour, feed, &cancel, &died)?);

    let worker = evaluate::Worker::new(evaluate::Settings {
        flavour,
        position: begin.binlog.replay_from.clone(),
        rules: Arc::clone(&rules),
        reloads: parts.rules.clone(),
        bell,
        metrics: parts.metrics,
    })?;
    let (results, mut evaluated) = evaluate::results();
    threads.push(thread("sluice-evaluate", &died, move || {
        worker.run(&fed, &results);
        Ok(())
    })?);

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
        asides: Asides::default(),
    };
    let end = tokio::select! {
        end = committer.run(&mut evaluated) => end,
        Some(error) = dead.recv() => End::Died(error),
    };
    cancel.cancel();
    drop(evaluated);
    tokio::task::spawn_blocking(move || threads.into_iter().for_each(|t| drop(t.join()))).await?;
    Ok(end)
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

/// The reader of the database's changes: from its binlog, or from a change feed.
fn start_changes(
    parts: &Parts,
    begin: &Begin,
    flavour: Flavour,
    feed: Sender<Feed>,
    cancel: &CancellationToken,
    died: &mpsc::Sender<anyhow::Error>,
) -> anyhow::Result<Handle> {
    let (blind, cancel, schemas) = (parts.blind.clone(), cancel.clone(), parts.schemas.clone());
    let (position, start) = (begin.binlog.replay_from.clone(), begin.start);
    if let Some(changes) = &parts.config.kafka.changes {
        let (settings, prefix) = (parts.config.kafka.clone(), changes.prefix.clone());
        let reader = debezium::reader::Reader { settings, prefix, schemas, position, start, feed, blind, cancel };
        return thread("sluice-changes", died, move || reader.run());
    }
    let mysql = &parts.config.mysql;
    let (url, server_id) = (mysql.url.clone(), mysql.server_id);
    let settings = binlog::Settings { url, server_id, schemas, flavour, position, start };
    let reader = binlog::Reader::new(settings, feed, blind, cancel)?;
    thread("sluice-binlog", died, move || reader.run())
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
    let progress = Progress {
        settings: settings.clone(),
        status: parts.status.clone(),
        blind: parts.blind.clone(),
        cancel: cancel.clone(),
    };
    // Nobody waits for its end: it may be waiting for brokers that are away.
    thread("sluice-progress", died, move || progress.run())?;
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
