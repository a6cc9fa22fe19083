//! `sluice record`: the same readers as the sidecar's, beside a running one. No
//! lease, no commit, no breaker: it only looks.

use crate::binlog::hosts::ServerHosts;
use crate::binlog::{preflight, reader};
use crate::config::SidecarConfig;
use crate::health::blind::{Blind, BlindCause};
use crate::health::last_activity::LastActivity;
use crate::kafka::consumer;
use crate::metrics::metrics;
use crate::pipeline::gate::barrier;
use crate::pipeline::{MAX_QUEUED_MESSAGES, evaluate};
use crate::recording::{Recorder, RecordingWriter};
use crate::rules::RuleFiles;
use crate::rules::runtime::rule_set::RuleSet;
use crate::stream::feed::SourceMessage;
use crate::stream::gtid::Flavour;
use crate::stream::position::StartPosition;
use anyhow::{Context, bail};
use crossbeam_channel::Sender;
use sluice_contract::settings::Secret;
use sluice_contract::telemetry::Readiness;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long the server may take to say that its binlog can be read.
const PREFLIGHT_TIMEOUT: Duration = Duration::from_secs(10);
/// Replica ids of recorders begin here, apart from sidecars'.
const FIRST_SERVER_ID: u32 = 2_000_000_000;

/// What was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingSummary {
    pub changes: u64,
    pub events: u64,
    /// Records that the disk or the queue did not take.
    pub lost: u64,
    /// Why it does not see at the end, if it doesn't.
    pub blind: Option<String>,
}

/// Records what is committed and told from now on, until `stop` is cancelled.
/// `told` hears the row changes so far, several times a second.
pub async fn record(
    config: &SidecarConfig,
    dir: &Path,
    max_mb: u64,
    stop: CancellationToken,
    told: impl Fn(u64),
) -> anyhow::Result<RecordingSummary> {
    config.check()?;
    if !config.mysql.book_servers.is_empty() || config.kafka.changes.is_some() {
        bail!(
            "sluice record reads the binlog of one server, and here there are more or changes come through Kafka: \
             set recording.dir in the sidecar's settings, which keeps all that the sidecar itself sees"
        );
    }
    let metrics = metrics()?;
    let writer = RecordingWriter::open(dir, max_mb)?;
    let blind = Blind::new(Readiness::default(), metrics.blind.clone());
    let (sender, mut fit) = watch::channel(None);
    let hosts = Arc::new(ServerHosts::new("mysql.url", &config.mysql.url, 1)?);
    let watching = tokio::spawn(preflight::watch(hosts, blind.clone(), sender));
    let found = tokio::time::timeout(PREFLIGHT_TIMEOUT, fit.wait_for(Option::is_some)).await;
    let flavour = found.ok().and_then(|found| *found.ok()?);
    let Some(flavour) = flavour else {
        watching.abort();
        bail!(
            "the binlog can't be read: {}",
            blind.reason().unwrap_or_default()
        );
    };
    let position = {
        let mut conn = sluice_contract::sql::connect(&config.mysql.url).await?;
        preflight::position(&mut conn, flavour).await?
    };
    let before = (
        metrics.row_changes.get(),
        metrics.events.get(),
        metrics.recording_lost.get(),
    );
    let recorder = Recorder::start(writer, metrics)?;
    let cancel = stop.child_token();
    let threads = read(config, flavour, position, &blind, &recorder, &cancel)?;
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            _ = tick.tick() => told(metrics.row_changes.get() - before.0),
        }
    }
    let blind = blind.reason().map(|reason| reason.to_string());
    cancel.cancel();
    watching.abort();
    tokio::task::spawn_blocking(move || {
        threads.into_iter().for_each(|thread| drop(thread.join()));
        drop(recorder);
    })
    .await?;
    Ok(RecordingSummary {
        changes: metrics.row_changes.get() - before.0,
        events: metrics.events.get() - before.1,
        lost: metrics.recording_lost.get() - before.2,
        blind,
    })
}

type RecorderThread = JoinHandle<()>;

fn spawn(
    name: &str,
    work: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
) -> anyhow::Result<RecorderThread> {
    let told = name.to_owned();
    let work = move || {
        if let Err(error) = work() {
            tracing::error!("{told}: {error:#}");
        }
    };
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .context("a thread of the recorder")
}

/// The parts of a reign that read, and an evaluator without rules, which keeps the
/// order in which a real one would have seen it all.
fn read(
    config: &SidecarConfig,
    flavour: Flavour,
    position: String,
    blind: &Blind,
    recorder: &Recorder,
    cancel: &CancellationToken,
) -> anyhow::Result<Vec<RecorderThread>> {
    let (feed, fed) = crossbeam_channel::bounded(MAX_QUEUED_MESSAGES);
    let mut threads = Vec::new();
    let bell = read_kafka(config, &feed, blind, cancel, &mut threads)?;
    let settings = reader::BinlogReaderSettings {
        url: config.mysql.url.clone(),
        server_id: FIRST_SERVER_ID + std::process::id() % 1_000_000_000,
        schemas: config.schemas()?,
        flavour,
        position: position.clone(),
        start: StartPosition::Now,
    };
    blind.set(BlindCause::Binlog, "connecting");
    let reader = reader::BinlogReader::new(settings, feed, blind.clone(), cancel.clone())?;
    threads.push(spawn("record-binlog", move || reader.run())?);
    let no_rules = RuleSet::build(
        &RuleFiles::default(),
        Secret::new("nothing is verified here"),
    )?;
    // Its sender may go: the last set stays.
    let (_, reloads) = watch::channel(None);
    let worker = evaluate::StreamEvaluator::new(evaluate::StreamEvaluatorSettings {
        flavours: vec![flavour],
        names: vec![String::new()].into(),
        positions: vec![position],
        elsewhere: None,
        kafka_activity: LastActivity::default(),
        kafka_from_us: None,
        rules: Arc::new(no_rules),
        reloads,
        bell,
        metrics: metrics()?,
        tap: recorder.tap(),
        mid_stream: true,
        workers: 1,
    })?;
    let (results, mut evaluated) = evaluate::results();
    threads.push(spawn("record-evaluate", move || {
        worker.run(&fed, &results)
    })?);
    threads.push(spawn("record-results", move || {
        while evaluated.blocking_recv().is_some() {}
        Ok(())
    })?);
    Ok(threads)
}

fn read_kafka(
    config: &SidecarConfig,
    feed: &Sender<SourceMessage>,
    blind: &Blind,
    cancel: &CancellationToken,
    threads: &mut Vec<RecorderThread>,
) -> anyhow::Result<Option<barrier::EndOffsetRequests>> {
    if config.kafka.brokers.is_empty() {
        return Ok(None);
    }
    let mut settings = config.kafka.clone();
    // Never the sidecar's own: it must not lose a partition to us.
    settings.group = format!("{}-record-{}", settings.group, std::process::id());
    blind.set(BlindCause::Kafka, "connecting");
    let assigned = Arc::new(AtomicBool::new(false));
    let reader = consumer::KafkaReader {
        settings: settings.clone(),
        start: StartPosition::Now,
        offsets: None,
        from_us: None,
        feed: feed.clone(),
        blind: blind.clone(),
        metrics: metrics()?,
        cancel: cancel.clone(),
        assigned: Arc::clone(&assigned),
    };
    let (barrier, bell) = barrier::barrier(
        settings,
        feed.clone(),
        blind.clone(),
        cancel.clone(),
        assigned,
    );
    threads.push(spawn("record-kafka", move || reader.run())?);
    threads.push(spawn("record-barrier", move || barrier.run())?);
    Ok(Some(bell))
}
