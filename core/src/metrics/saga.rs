//! Metrics of bookings at servers of their own.

use prometheus::{
    IntCounter, IntCounterVec, IntGauge, register_int_counter, register_int_counter_vec,
    register_int_gauge,
};

/// Bookings at balance and ledger while they are apart.
pub struct SagaMetrics {
    pub open: IntGauge,
    pub oldest: IntGauge,
    pub failures: IntCounterVec,
    pub unreadable: IntCounter,
}

pub(super) fn register() -> prometheus::Result<SagaMetrics> {
    Ok(SagaMetrics {
        open: register_int_gauge!(
            "sluice_core_saga_open_bookings",
            "Bookings that are decided and not known to be made by balance and ledger"
        )?,
        oldest: register_int_gauge!(
            "sluice_core_saga_oldest_seconds",
            "Age of the oldest open booking"
        )?,
        failures: register_int_counter_vec!(
            "sluice_core_saga_failures_total",
            "Drives of open bookings that a service failed, and bookings that can't be made",
            &["at"]
        )?,
        unreadable: register_int_counter!(
            "sluice_core_saga_unreadable_total",
            "Reads of an open booking whose row can't be read: each is a case, the others go on"
        )?,
    })
}
