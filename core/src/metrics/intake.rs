//! Metrics of the payment intake.

use prometheus::{
    IntCounter, IntCounterVec, IntGauge, register_int_counter, register_int_counter_vec,
    register_int_gauge,
};

/// Payments in.
pub struct IntakeMetrics {
    pub events: IntCounterVec,
    pub retries: IntCounter,
    pub held_partitions: IntGauge,
    pub lag: IntGauge,
    pub quarantined: IntGauge,
}

pub(super) fn register() -> prometheus::Result<IntakeMetrics> {
    Ok(IntakeMetrics {
        events: register_int_counter_vec!(
            "sluice_core_intake_events_total",
            "Events read from the payments' topic: booked, repeated, conflict, dead_letter, other",
            &["result"]
        )?,
        retries: register_int_counter!(
            "sluice_core_intake_retries_total",
            "Rounds of payments that could not be booked yet"
        )?,
        held_partitions: register_int_gauge!(
            "sluice_core_intake_held_partitions",
            "Partitions of this instance with payments that can't be booked now"
        )?,
        lag: register_int_gauge!(
            "sluice_core_intake_lag_events",
            "Events of this instance's partitions whose offsets are not committed yet"
        )?,
        quarantined: register_int_gauge!(
            "sluice_core_quarantined_payments",
            "Payments in the table of those that no build has booked yet; every instance counts the same"
        )?,
    })
}
