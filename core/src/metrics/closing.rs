//! Metrics of the closing of days.

use prometheus::{IntCounterVec, IntGauge, register_int_counter_vec, register_int_gauge};

/// Accounts whose day was added up, by result, and those that are to be tried again.
pub struct ClosingMetrics {
    accounts: IntCounterVec,
    pub open: IntGauge,
}

impl ClosingMetrics {
    /// Counts a visit of an account.
    pub fn count(&self, result: &str) {
        self.accounts.with_label_values(&[result]).inc();
    }
}

pub(super) fn register() -> prometheus::Result<ClosingMetrics> {
    Ok(ClosingMetrics {
        accounts: register_int_counter_vec!(
            "sluice_core_closed_days_total",
            "Accounts whose books were added up to the end of a day, by result",
            &["result"]
        )?,
        open: register_int_gauge!(
            "sluice_core_closing_open_accounts",
            "Accounts that this instance could not close the last day of, and tries again"
        )?,
    })
}
