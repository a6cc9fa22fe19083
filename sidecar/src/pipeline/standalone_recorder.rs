//! `sluice record` runs the same readers as the sidecar's, beside a running one. No
//! lease, no commit, no breaker: it only looks.

use crate::binlog::hosts::ServerHosts;
use crate::binlog::preflight;
use crate::config::SidecarConfig;
use crate::health::blind::Blind;
use crate::metrics::{SidecarMetrics, metrics};
use crate::pipeline::recorder_threads::{RecorderThread, RecorderThreads};
use crate::recording::{Recorder, RecordingWriter};
use crate::stream::gtid::Flavour;
use anyhow::bail;
use sluice_contract::telemetry::Readiness;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long the server may take to say that its binlog can be read.
const PREFLIGHT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the caller hears how much is recorded.
const REPORT_INTERVAL: Duration = Duration::from_millis(250);

/// Counts of a recording that ended.
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
///
/// # Errors
/// Settings with more than one source of changes, a binlog that can't be read, a folder
/// that can't be written.
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
    let (flavour, watching) = inspect(config, &blind).await?;
    let position = {
        let mut conn = sluice_contract::sql::connect(&config.mysql.url).await?;
        preflight::position(&mut conn, flavour).await?
    };
    let before = RecordedCounts::now(metrics);
    let recorder = Recorder::start(writer, metrics)?;
    let cancel = stop.child_token();
    let threads = RecorderThreads::new(config, &blind, &cancel);
    let threads = threads.start(flavour, position, &recorder)?;
    let mut tick = tokio::time::interval(REPORT_INTERVAL);
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            _ = tick.tick() => told(metrics.row_changes.get() - before.changes),
        }
    }
    let blind = blind.reason().map(|reason| reason.to_string());
    cancel.cancel();
    watching.abort();
    end(threads, recorder).await?;
    let after = RecordedCounts::now(metrics);
    Ok(RecordingSummary {
        changes: after.changes - before.changes,
        events: after.events - before.events,
        lost: after.lost - before.lost,
        blind,
    })
}

/// The program's counters at one moment.
struct RecordedCounts {
    changes: u64,
    events: u64,
    lost: u64,
}

impl RecordedCounts {
    fn now(metrics: &SidecarMetrics) -> Self {
        RecordedCounts {
            changes: metrics.row_changes.get(),
            events: metrics.events.get(),
            lost: metrics.recording_lost.get(),
        }
    }
}

/// Asks the server whether its binlog can be read, and goes on asking.
async fn inspect(
    config: &SidecarConfig,
    blind: &Blind,
) -> anyhow::Result<(Flavour, JoinHandle<()>)> {
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
    Ok((flavour, watching))
}

/// Waits for the threads, then writes what is left.
async fn end(threads: Vec<RecorderThread>, recorder: Recorder) -> anyhow::Result<()> {
    tokio::task::spawn_blocking(move || {
        threads.into_iter().for_each(|thread| drop(thread.join()));
        drop(recorder);
    })
    .await?;
    Ok(())
}
