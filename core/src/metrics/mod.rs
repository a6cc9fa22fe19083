//! Metrics of the core. Names follow Prometheus' conventions; label sets are
//! bounded by code, never by data.

mod channels;
mod closing;
mod intake;
mod outbox;
mod recovery;
mod retention;
mod routing;
mod saga;

pub use channels::ChannelMetrics;
pub use closing::ClosingMetrics;
pub use intake::IntakeMetrics;
pub use outbox::OutboxMetrics;
pub use recovery::RecoveryMetrics;
pub use retention::RetentionMetrics;
pub use routing::RoutingMetrics;
pub use saga::SagaMetrics;

use prometheus::{
    Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, register_histogram,
    register_int_counter, register_int_counter_vec, register_int_gauge, register_int_gauge_vec,
};
use sluice_contract::telemetry::LATENCY_BUCKETS;
use std::sync::LazyLock;

/// Buckets of batches, in requests.
const BATCH_SIZE_BUCKETS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Every metric of the core.
pub struct CoreMetrics {
    pub requests: IntCounterVec,
    pub accept: Histogram,
    pub accept_batch: Histogram,
    pub orders: IntCounterVec,
    pub claimed: IntCounter,
    pub blocked: IntGaugeVec,
    pub fence_wait: Histogram,
    pub fence_stalled: IntGauge,
    pub fence_foreign_tokens: IntCounter,
    pub guard_unsigned: IntCounterVec,
    pub breakers_unsealed: IntGauge,
    pub unfinished: IntGaugeVec,
    pub oldest_unfinished: IntGauge,
    pub contradictions: IntCounter,
    pub clock_skew: IntGauge,
    pub channels: ChannelMetrics,
    pub closing: ClosingMetrics,
    pub intake: IntakeMetrics,
    pub outbox: OutboxMetrics,
    pub saga: SagaMetrics,
    pub stages: RecoveryMetrics,
    pub retention: RetentionMetrics,
    pub routing: RoutingMetrics,
}

/// The process' metrics, registered at first use.
pub static METRICS: LazyLock<CoreMetrics> = LazyLock::new(|| match register() {
    Ok(metrics) => metrics,
    // Names are constants of this file: a clash is a bug seen at the first start.
    Err(error) => unreachable!("metrics: {error}"),
});

fn register() -> prometheus::Result<CoreMetrics> {
    Ok(CoreMetrics {
        requests: register_int_counter_vec!(
            "sluice_core_requests_total",
            "API requests answered",
            &["route", "status"]
        )?,
        accept: accept_seconds()?,
        accept_batch: accept_batch_orders()?,
        orders: register_int_counter_vec!(
            "sluice_core_orders_total",
            "Orders that moved into a state",
            &["state"]
        )?,
        claimed: register_int_counter!("sluice_core_claims_total", "Orders claimed for sending")?,
        blocked: register_int_gauge_vec!(
            "sluice_core_blocked_orders",
            "Orders held back at the last look",
            &["by"]
        )?,
        fence_wait: fence_wait_seconds()?,
        fence_stalled: register_int_gauge!(
            "sluice_core_fence_stalled",
            "1 while the sidecar is blind or out of reach"
        )?,
        fence_foreign_tokens: register_int_counter!(
            "sluice_core_fence_foreign_tokens_total",
            "Lines of the sidecar with a token that this core never raised; ignored"
        )?,
        guard_unsigned: register_int_counter_vec!(
            "sluice_core_guard_unsigned_total",
            "Rows that were not believed for want of a valid signature",
            &["table"]
        )?,
        breakers_unsealed: register_int_gauge!(
            "sluice_core_breakers_unsealed",
            "1 while the breakers are not as the sidecar sealed them: nothing is sent"
        )?,
        unfinished: register_int_gauge_vec!(
            "sluice_core_unfinished_orders",
            "Orders not at their end",
            &["state"]
        )?,
        oldest_unfinished: register_int_gauge!(
            "sluice_core_oldest_unfinished_seconds",
            "Age of the oldest order not at its end"
        )?,
        contradictions: register_int_counter!(
            "sluice_core_contradictions_total",
            "Channel answers that contradict what is known"
        )?,
        clock_skew: register_int_gauge!(
            "sluice_core_clock_skew_ms",
            "Milliseconds that the database's clock is ahead of this host's"
        )?,
        channels: channels::register()?,
        closing: closing::register()?,
        intake: intake::register()?,
        outbox: outbox::register()?,
        saga: saga::register()?,
        stages: recovery::register()?,
        retention: retention::register()?,
        routing: routing::register()?,
    })
}

fn accept_seconds() -> prometheus::Result<Histogram> {
    register_histogram!(
        "sluice_core_accept_seconds",
        "From a request's body to its durable answer",
        LATENCY_BUCKETS.to_vec()
    )
}

fn accept_batch_orders() -> prometheus::Result<Histogram> {
    register_histogram!(
        "sluice_core_accept_batch_orders",
        "Requests sharing one accept transaction",
        BATCH_SIZE_BUCKETS.to_vec()
    )
}

fn fence_wait_seconds() -> prometheus::Result<Histogram> {
    register_histogram!(
        "sluice_core_fence_wait_seconds",
        "From raising a token to its passing",
        LATENCY_BUCKETS.to_vec()
    )
}
