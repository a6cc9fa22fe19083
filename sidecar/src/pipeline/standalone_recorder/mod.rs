//! `sluice record` runs the same readers as the sidecar's, beside a running one. No
//! lease, no commit, no breaker: it only looks.

mod threads;

use crate::binlog::hosts::ServerHosts;
use crate::binlog::{preflight, server_watch};
use crate::config::SidecarConfig;
use crate::health::blind::Blind;
use crate::metrics::{SidecarMetrics, metrics};
use crate::pipeline::standalone_recorder::threads::RecorderThreads;
use crate::recording::{Recorder, RecordingWriter};
use crate::stream::gtid::Flavour;
use anyhow::bail;
use sluice_contract::supervisor::Supervisor;
use sluice_contract::telemetry::Readiness;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The server may take this long to say that its binlog can be read.
const PREFLIGHT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for the readers to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// The caller hears how much is recorded after this time.
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
/// `on_progress` hears the row changes so far, several times a second.
///
/// # Errors
/// Settings with more than one source of changes, a binlog that can't be read, a folder
/// that can't be written, a part that died (the error has its name).
pub async fn record(
    config: &SidecarConfig,
    dir: &Path,
    max_mb: u64,
    stop: CancellationToken,
    on_progress: impl Fn(u64),
) -> anyhow::Result<RecordingSummary> {
    config.check()?;
    let mut config = config.clone();
    config.authenticate_kafka()?;
    let config = &config;
    if !config.mysql.book_servers.is_empty() || config.kafka.changes.is_some() {
        bail!(
            "sluice record reads the binlog of one server, and here there are more or changes come through Kafka: \
             set recording.dir in the sidecar's settings, which keeps all that the sidecar itself sees"
        );
    }
    let metrics = metrics()?;
    let writer = RecordingWriter::open(dir, max_mb)?;
    let blind = Blind::new(Readiness::default(), metrics.blind.clone());
    let parts = Supervisor::new(Readiness::default(), stop.child_token());
    let _ends_with_us = parts.stop_token().drop_guard();
    let flavour = inspect(config, &blind, &parts).await?;
    let position = {
        let mut conn = sluice_contract::sql::connect(&config.mysql.url).await?;
        preflight::position(&mut conn, flavour).await?
    };
    let before = RecordedCounts::now(metrics);
    let recorder = Recorder::start(writer, metrics)?;
    RecorderThreads::new(config, &blind, &parts).start(flavour, position, &recorder)?;
    let mut tick = tokio::time::interval(REPORT_INTERVAL);
    let died = loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break None,
            end = parts.first_end() => break Some(end),
            _ = tick.tick() => on_progress(metrics.row_changes.get() - before.changes),
        }
    };
    let blind = blind.reason().map(|reason| reason.to_string());
    let stopped = parts.stop(STOP_TIMEOUT).await;
    // What was seen until then is kept, whoever died.
    close(recorder).await?;
    if let Some(end) = died {
        return Err(anyhow::Error::from(end).context("the recording ended early"));
    }
    stopped?;
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
            lost: metrics.recording.lost.get(),
        }
    }
}

/// Asks the server whether its binlog can be read, and goes on asking.
async fn inspect(
    config: &SidecarConfig,
    blind: &Blind,
    parts: &Supervisor,
) -> anyhow::Result<Flavour> {
    let (sender, mut fit) = watch::channel(None);
    let hosts = Arc::new(ServerHosts::new("mysql.url", &config.mysql.url, 1)?);
    let (watching, stop) = (
        server_watch::watch(hosts, blind.clone(), sender),
        parts.stop_token(),
    );
    parts.spawn("record-preflight", async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = watching => {}
        }
        Ok(())
    });
    let found = tokio::time::timeout(PREFLIGHT_TIMEOUT, fit.wait_for(Option::is_some)).await;
    let flavour = found.ok().and_then(|found| *found.ok()?);
    let Some(flavour) = flavour else {
        bail!(
            "the binlog can't be read: {}",
            blind.reason().unwrap_or_default()
        );
    };
    Ok(flavour)
}

/// Writes what is left. A disk that hangs is given up after some seconds.
async fn close(recorder: Recorder) -> anyhow::Result<()> {
    tokio::task::spawn_blocking(move || drop(recorder)).await?;
    Ok(())
}
