//! Metrics of retention.

use crate::metrics::registry::{counter, counters};
use prometheus::{IntCounter, IntCounterVec};

/// Rows of the guard schema that retention deleted, by table.
pub struct GuardRetentionMetrics {
    pub deleted: IntCounterVec,
    pub failures: IntCounter,
}

impl GuardRetentionMetrics {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(GuardRetentionMetrics {
            deleted: counters(
                "sluice_sidecar_retention_deleted_rows_total",
                "Rows deleted by their age",
                &["table"],
            )?,
            failures: counter(
                "sluice_sidecar_retention_failures_total",
                "Tables that retention could not purge; it goes on with the next round",
            )?,
        })
    }
}
