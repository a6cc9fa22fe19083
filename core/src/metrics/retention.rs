//! Metrics of retention.

use prometheus::{IntCounter, IntCounterVec, register_int_counter, register_int_counter_vec};

/// Rows that retention deleted, by table.
pub struct RetentionMetrics {
    pub deleted: IntCounterVec,
    pub failures: IntCounter,
}

pub(super) fn register() -> prometheus::Result<RetentionMetrics> {
    Ok(RetentionMetrics {
        deleted: register_int_counter_vec!(
            "sluice_core_retention_deleted_rows_total",
            "Rows deleted by their age",
            &["table"]
        )?,
        failures: register_int_counter!(
            "sluice_core_retention_failures_total",
            "Tasks of retention that the database failed; they go on later"
        )?,
    })
}
