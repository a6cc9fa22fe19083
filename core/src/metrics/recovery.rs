//! Metrics of recovery.

use prometheus::{IntCounterVec, IntGaugeVec, register_int_counter_vec, register_int_gauge_vec};

/// Recovery, by stage.
pub struct RecoveryMetrics {
    pub orders: IntGaugeVec,
    pub oldest: IntGaugeVec,
    pub late: IntGaugeVec,
    pub results: IntCounterVec,
    pub cases: IntGaugeVec,
}

pub(super) fn register() -> prometheus::Result<RecoveryMetrics> {
    Ok(RecoveryMetrics {
        orders: register_int_gauge_vec!(
            "sluice_core_stage_orders",
            "Orders in each stage of recovery",
            &["stage"]
        )?,
        oldest: register_int_gauge_vec!(
            "sluice_core_stage_oldest_seconds",
            "Age of the oldest order of the stage; in stage upstream, since it was told",
            &["stage"]
        )?,
        late: register_int_gauge_vec!(
            "sluice_core_stage_overdue_seconds",
            "How long the order that recovery should have looked at first has been due",
            &["stage"]
        )?,
        results: register_int_counter_vec!(
            "sluice_core_stage_results_total",
            "What recovery did, by stage: a channel's answer to a query, told again, a case",
            &["stage", "result"]
        )?,
        cases: register_int_gauge_vec!(
            "sluice_core_cases_open",
            "Cases that wait for a person",
            &["kind"]
        )?,
    })
}
