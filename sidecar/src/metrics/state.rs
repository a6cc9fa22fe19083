//! Metrics of what rules remember: its memory, its file, and what a start read again.

use crate::metrics::registry::{counter, counters, gauge, registered};
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// State of rules, in memory and on the disk.
pub struct StateMetrics {
    pub enabled: IntGauge,
    pub frozen: IntGauge,
    pub file_bytes: IntGauge,
    pub write_us: IntGauge,
    pub freeze_us: IntGauge,
    pub write_failures: IntCounter,
    pub starts: IntCounterVec,
    pub replayed_rows: IntGauge,
    pub memory: IntGaugeVec,
}

impl StateMetrics {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(StateMetrics {
            enabled: gauge(
                "sluice_sidecar_state_enabled",
                "1 if what rules remember is written",
            )?,
            frozen: gauge(
                "sluice_sidecar_state_frozen_seconds",
                "Time of the state that was written last, in seconds since 1970",
            )?,
            file_bytes: gauge(
                "sluice_sidecar_state_file_bytes",
                "Length of the state's file",
            )?,
            write_us: gauge(
                "sluice_sidecar_state_write_us",
                "Time that the last writing of the state took, in microseconds",
            )?,
            freeze_us: gauge(
                "sluice_sidecar_state_freeze_us",
                "Time that evaluation stood still to freeze the state last, in microseconds",
            )?,
            write_failures: counter(
                "sluice_sidecar_state_write_failures_total",
                "Writings of the state that failed",
            )?,
            starts: counters(
                "sluice_sidecar_state_starts_total",
                "Leaderships that began, by whether the written state was gone on from",
                &["from"],
            )?,
            replayed_rows: gauge(
                "sluice_sidecar_replayed_rows",
                "Row changes that this leadership read again up to its checkpoint",
            )?,
            memory: registered(IntGaugeVec::new(
                Opts::new(
                    "sluice_sidecar_rule_memory_bytes",
                    "Memory that an armed rule takes for windows and pairs, about",
                ),
                &["rule"],
            ))?,
        })
    }

    /// Notes a file that was written.
    pub fn written(&self, frozen_us: i64, bytes: u64, took_us: i64) {
        self.frozen.set(frozen_us / MICROS_PER_SECOND);
        self.file_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.write_us.set(took_us);
    }
}
