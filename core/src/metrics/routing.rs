//! Metrics of routing.

use prometheus::{
    IntCounter, IntCounterVec, IntGauge, register_int_counter, register_int_counter_vec,
    register_int_gauge,
};

/// Routing, and orders that no channel takes.
pub struct RoutingMetrics {
    pub version: IntGauge,
    pub invalid: IntGauge,
    pub rejections: IntCounterVec,
    pub unrouted: IntGauge,
    pub unrouted_oldest: IntGauge,
    pub unroutable: IntCounter,
}

pub(super) fn register() -> prometheus::Result<RoutingMetrics> {
    Ok(RoutingMetrics {
        version: register_int_gauge!(
            "sluice_core_routing_version",
            "Routing configuration that this core decides by; 0 without any"
        )?,
        invalid: register_int_gauge!(
            "sluice_core_routing_invalid",
            "1 while the routing configuration in force can't be used"
        )?,
        rejections: register_int_counter_vec!(
            "sluice_core_route_rejections_total",
            "Channels that did not take an order, when it was written down",
            &["by"]
        )?,
        unrouted: register_int_gauge!(
            "sluice_core_unrouted_orders",
            "Orders that no channel takes now"
        )?,
        unrouted_oldest: register_int_gauge!(
            "sluice_core_unrouted_oldest_seconds",
            "Age of the oldest order that no channel takes now"
        )?,
        unroutable: register_int_counter!(
            "sluice_core_unroutable_total",
            "Orders handed over to fail since no channel will ever take them"
        )?,
    })
}
