//! How far behind we are, measured so that it doesn't lie when nothing happens: the
//! oldest own heartbeat that did not come back, how many transactions each server is
//! ahead, and how long each source was silent.

use crate::binlog::preflight;
use crate::binlog::servers::SourceServer;
use crate::context::SidecarContext;
use crate::stream::gtid::{Flavour, GtidSet};
use sluice_contract::clock::now_us;
use sluice_contract::telemetry::seconds;
use std::sync::Arc;
use std::time::Duration;

/// How often a server is asked where it is.
const POSITION_INTERVAL: Duration = Duration::from_secs(1);
/// A server that does not answer within this is silent.
const QUERY_TIMEOUT: Duration = Duration::from_millis(900);

/// Gauges that grow with time alone; called often.
pub fn show(parts: &SidecarContext) {
    let note = parts.status.read();
    let active = note.role == "active";
    let waits_us = note
        .oldest_sent_us()
        .map_or(0, |sent| now_us().saturating_sub(sent).max(0));
    parts
        .metrics
        .heartbeat_wait_seconds
        .set(seconds(if active { waits_us } else { 0 }));
    for server in &parts.servers {
        let silent_us = if active {
            server.last_activity.silent_us()
        } else {
            0
        };
        let flavour = if is_fed(parts, server) {
            Flavour::Feed
        } else {
            Flavour::MariaDb
        };
        let source = server.source(flavour);
        parts
            .metrics
            .silence_seconds
            .with_label_values(&[source.as_str()])
            .set(seconds(silent_us));
    }
    if !parts.config.kafka.brokers.is_empty() {
        let silent_us = if active {
            parts.kafka_activity.silent_us()
        } else {
            0
        };
        parts
            .metrics
            .silence_seconds
            .with_label_values(&["kafka"])
            .set(seconds(silent_us));
    }
}

/// Whether its changes come through a feed.
fn is_fed(parts: &SidecarContext, server: &SourceServer) -> bool {
    server.name.is_empty() && parts.config.kafka.changes.is_some()
}

/// Asks one server for ever how far it is ahead of what was evaluated and committed. Of a
/// feed nobody but its own tools knows it: no figure is better than a 0.
pub async fn follow(parts: Arc<SidecarContext>, number: usize) {
    let Some(server) = parts
        .servers
        .get(number)
        .filter(|server| !is_fed(&parts, server))
    else {
        return;
    };
    let mut tick = tokio::time::interval(POSITION_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut answered_us = now_us();
    loop {
        tick.tick().await;
        let asked = tokio::time::timeout(QUERY_TIMEOUT, distance(&parts, server)).await;
        if let Ok(Ok(ahead)) = asked {
            answered_us = now_us();
            let ahead = ahead.map_or(0, |ahead| i64::try_from(ahead).unwrap_or(i64::MAX));
            parts
                .metrics
                .position_distance
                .with_label_values(&[server.label()])
                .set(ahead);
        }
        // The distance stays what it was: this says how old it is.
        let age_us = if matches!(asked, Ok(Ok(_))) {
            0
        } else {
            now_us().saturating_sub(answered_us)
        };
        parts
            .metrics
            .position_age_seconds
            .with_label_values(&[server.label()])
            .set(seconds(age_us));
    }
}

/// Transactions that the server has and we have not evaluated; none while another
/// sidecar reads.
async fn distance(parts: &SidecarContext, server: &SourceServer) -> anyhow::Result<Option<u64>> {
    let Some(flavour) = server.is_fit() else {
        anyhow::bail!("its settings are not right")
    };
    let mut conn = server.hosts.get_conn().await?;
    let theirs = GtidSet::parse(flavour, &preflight::position(&mut conn, flavour).await?)?;
    let note = parts.status.read();
    let Some(ours) = note
        .positions
        .get(&server.source(flavour))
        .filter(|_| note.role == "active")
    else {
        return Ok(None);
    };
    Ok(Some(GtidSet::parse(flavour, ours)?.lacks(&theirs)))
}
