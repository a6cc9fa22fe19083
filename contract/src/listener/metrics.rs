//! Metrics of listeners, by the listener's name.

use prometheus::{IntCounterVec, IntGaugeVec, register_int_counter_vec, register_int_gauge_vec};
use std::sync::LazyLock;

pub(super) struct ListenerMetrics {
    pub connections: IntGaugeVec,
    pub refused_connections: IntCounterVec,
    pub refused_requests: IntCounterVec,
}

/// The process' metrics, registered at first use.
pub(super) static METRICS: LazyLock<ListenerMetrics> = LazyLock::new(|| match register() {
    Ok(metrics) => metrics,
    // Names are constants of this file: a clash is a bug seen at the first start.
    Err(error) => unreachable!("metrics: {error}"),
});

fn register() -> prometheus::Result<ListenerMetrics> {
    Ok(ListenerMetrics {
        connections: register_int_gauge_vec!(
            "sluice_listener_connections",
            "Connections that are open now",
            &["listener"]
        )?,
        refused_connections: register_int_counter_vec!(
            "sluice_listener_refused_connections_total",
            "Connections closed at once: full, address_full, handshake, client_name, descriptors",
            &["listener", "reason"]
        )?,
        refused_requests: register_int_counter_vec!(
            "sluice_listener_refused_requests_total",
            "Requests that were not served: head_timeout, request_timeout, client_rate, address_rate",
            &["listener", "reason"]
        )?,
    })
}
