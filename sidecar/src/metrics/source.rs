//! Metrics of the sources: how far behind the sidecar reads them.

use crate::metrics::registry::{gauges, registered};
use prometheus::{Gauge, GaugeVec, IntGaugeVec, Opts};

/// Age of heartbeats, silence of sources and distance to their ends.
pub struct SourceMetrics {
    pub lag_seconds: Gauge,
    pub heartbeat_wait_seconds: Gauge,
    pub silence_seconds: GaugeVec,
    pub position_distance: IntGaugeVec,
    pub position_age_seconds: GaugeVec,
}

impl SourceMetrics {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(SourceMetrics {
            lag_seconds: registered(Gauge::new(
                "sluice_sidecar_lag_seconds",
                "Age of the last own heartbeat that came back",
            ))?,
            heartbeat_wait_seconds: registered(Gauge::new(
                "sluice_sidecar_heartbeat_wait_seconds",
                "Age of the oldest own heartbeat that did not come back; 0 if all did",
            ))?,
            silence_seconds: gauges(
                "sluice_sidecar_source_silence_seconds",
                "Since a source last said anything, its heartbeats included",
                "source",
            )?,
            position_distance: registered(IntGaugeVec::new(
                Opts::new(
                    "sluice_sidecar_position_lag_transactions",
                    "Transactions that a server has and are not evaluated",
                ),
                &["server"],
            ))?,
            position_age_seconds: gauges(
                "sluice_sidecar_position_age_seconds",
                "Since a server last said where it is; 0 if it just did",
                "server",
            )?,
        })
    }
}
