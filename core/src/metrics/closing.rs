//! Metrics of the closing of days.

use prometheus::{IntCounterVec, register_int_counter_vec};

/// Accounts whose day was added up, by result.
pub struct ClosingMetrics {
    pub accounts: IntCounterVec,
}

pub(super) fn register() -> prometheus::Result<ClosingMetrics> {
    Ok(ClosingMetrics {
        accounts: register_int_counter_vec!(
            "sluice_core_closed_days_total",
            "Accounts whose books were added up to the end of a day, by result",
            &["result"]
        )?,
    })
}
