//! The lag of the sidecar, measured so that it doesn't lie when nothing happens: the
//! oldest own heartbeat that did not come back, how many transactions each server is
//! ahead (`distance`), and how long each source was silent.

mod distance;
pub(in crate::pipeline) mod open_breakers;

use crate::binlog::servers::SourceServer;
use crate::health::Health;
use crate::health::blind::BlindCause;
use crate::health::last_activity::LastActivity;
use crate::health::status::StatusReport;
use crate::leader::guard_db::GuardDb;
use crate::stream::gtid::Flavour;
use sluice_contract::clock::now_us;
use sluice_contract::telemetry::seconds;
use std::sync::Arc;
use std::time::Duration;

/// Interval at which the lag is measured.
const MEASURE_INTERVAL: Duration = Duration::from_millis(200);
/// Measures between two counts of open breakers.
const MEASURES_PER_BREAKER_COUNT: u64 = 10;

/// Meter of the lag; clones measure the same sidecar.
#[derive(Clone)]
pub struct LagMeter {
    pub db: GuardDb,
    pub health: Health,
    pub servers: Arc<[SourceServer]>,
    /// `None` without Kafka.
    pub kafka_activity: Option<LastActivity>,
    /// The first server's changes come through a feed.
    pub is_fed: bool,
    /// Past this the sidecar is blind, in µs.
    pub max_lag_us: i64,
}

impl LagMeter {
    /// Keeps the gauges that nobody else moves, for ever: lag grows when nothing comes back.
    pub async fn measure(self) {
        let mut tick = tokio::time::interval(MEASURE_INTERVAL);
        let mut count = 0_u64;
        loop {
            tick.tick().await;
            let report = self.health.status.read();
            self.show_silence(&report);
            self.show_lag(&report);
            if count.is_multiple_of(MEASURES_PER_BREAKER_COUNT) {
                open_breakers::count(&self.db, &self.health).await;
            }
            count += 1;
        }
    }

    /// Shows how long sources were silent and the oldest heartbeat is on its way.
    fn show_silence(&self, report: &StatusReport) {
        let active = report.role == "active";
        let metrics = self.health.metrics;
        let waits_us = report
            .oldest_sent_us()
            .map_or(0, |sent| now_us().saturating_sub(sent).max(0));
        let waits_us = if active { waits_us } else { 0 };
        metrics.source.heartbeat_wait_seconds.set(seconds(waits_us));
        let show = |source: &str, activity: &LastActivity| {
            let silent_us = if active { activity.silent_us() } else { 0 };
            metrics
                .source
                .silence_seconds
                .with_label_values(&[source])
                .set(seconds(silent_us));
        };
        for server in self.servers.iter() {
            let flavour = match self.is_feed(server) {
                true => Flavour::Feed,
                false => Flavour::MariaDb,
            };
            show(&server.source(flavour), &server.last_activity);
        }
        if let Some(kafka) = &self.kafka_activity {
            show("kafka", kafka);
        }
    }

    /// Shows the age of the last heartbeat that came back, and is blind past the bound.
    fn show_lag(&self, report: &StatusReport) {
        if report.heartbeat_us <= 0 {
            return;
        }
        let lag_us = now_us().saturating_sub(report.heartbeat_us).max(0);
        self.health.metrics.source.lag_seconds.set(seconds(lag_us));
        if report.role == "active" && lag_us > self.max_lag_us {
            let reason = format!("{} s behind", lag_us / 1_000_000);
            self.health.blind.set(BlindCause::Lag, reason);
        } else {
            self.health.blind.clear(BlindCause::Lag);
        }
    }

    /// Whether a server's changes come through a feed.
    fn is_feed(&self, server: &SourceServer) -> bool {
        server.name.is_empty() && self.is_fed
    }
}
