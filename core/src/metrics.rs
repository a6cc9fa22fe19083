//! Metrics of the core. Names follow Prometheus' conventions; label sets are
//! bounded by code, never by data.

use prometheus::{
    Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, register_histogram,
    register_histogram_vec, register_int_counter, register_int_counter_vec, register_int_gauge,
    register_int_gauge_vec,
};
use sluice_contract::telemetry::LATENCY_BUCKETS;
use std::sync::LazyLock;

pub struct CoreMetrics {
    pub requests: IntCounterVec,
    pub accept: Histogram,
    pub accept_batch: Histogram,
    pub orders: IntCounterVec,
    pub claimed: IntCounter,
    pub blocked: IntGaugeVec,
    pub fence_wait: Histogram,
    pub fence_stalled: IntGauge,
    pub unfinished: IntGaugeVec,
    pub oldest_unfinished: IntGauge,
    pub outbox_rows: IntGauge,
    pub outbox_oldest: IntGauge,
    pub published: IntCounter,
    pub publish_failures: IntCounter,
    pub contradictions: IntCounter,
    pub channels: ChannelMetrics,
    pub intake: IntakeMetrics,
    pub saga: SagaMetrics,
    pub stages: RecoveryMetrics,
    pub routing: RoutingMetrics,
}

/// Calls to channels, and what stands before them.
pub struct ChannelMetrics {
    pub call: HistogramVec,
    pub results: IntCounterVec,
    pub reconnects: IntCounterVec,
    pub waiting: IntGaugeVec,
    pub secret_unusable: IntGaugeVec,
}

/// Payments in.
pub struct IntakeMetrics {
    pub events: IntCounterVec,
    pub retries: IntCounter,
    pub lag: IntGauge,
}

/// Bookings at balance and ledger while they are apart.
pub struct SagaMetrics {
    pub open: IntGauge,
    pub oldest: IntGauge,
    pub failures: IntCounterVec,
}

/// Recovery, by stage.
pub struct RecoveryMetrics {
    pub orders: IntGaugeVec,
    pub oldest: IntGaugeVec,
    pub late: IntGaugeVec,
    pub results: IntCounterVec,
    pub cases: IntGaugeVec,
}

/// Routing, and orders that no channel takes.
pub struct RoutingMetrics {
    pub version: IntGauge,
    pub invalid: IntGauge,
    pub rejections: IntCounterVec,
    pub unrouted: IntGauge,
    pub unrouted_oldest: IntGauge,
    pub unroutable: IntCounter,
}

pub static METRICS: LazyLock<CoreMetrics> = LazyLock::new(|| match register() {
    Ok(metrics) => metrics,
    // Names are constants of this file: a clash is a bug seen at the first start.
    Err(error) => unreachable!("metrics: {error}"),
});

fn register() -> prometheus::Result<CoreMetrics> {
    let sizes = vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];
    Ok(CoreMetrics {
        requests: register_int_counter_vec!(
            "sluice_core_requests_total",
            "API requests answered",
            &["route", "status"]
        )?,
        accept: register_histogram!(
            "sluice_core_accept_seconds",
            "From a request's body to its durable answer",
            LATENCY_BUCKETS.to_vec()
        )?,
        accept_batch: register_histogram!(
            "sluice_core_accept_batch_orders",
            "Requests sharing one accept transaction",
            sizes
        )?,
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
        fence_wait: register_histogram!(
            "sluice_core_fence_wait_seconds",
            "From raising a token to its passing",
            LATENCY_BUCKETS.to_vec()
        )?,
        fence_stalled: register_int_gauge!(
            "sluice_core_fence_stalled",
            "1 while the sidecar is blind or out of reach"
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
        outbox_rows: register_int_gauge!(
            "sluice_core_outbox_rows",
            "Transactions whose events are not published yet"
        )?,
        outbox_oldest: register_int_gauge!(
            "sluice_core_outbox_oldest_seconds",
            "Age of the oldest unpublished transaction"
        )?,
        published: register_int_counter!(
            "sluice_core_published_events_total",
            "Events acknowledged by Kafka"
        )?,
        publish_failures: register_int_counter!(
            "sluice_core_publish_failures_total",
            "Rounds of the relay that Kafka or the database failed"
        )?,
        contradictions: register_int_counter!(
            "sluice_core_contradictions_total",
            "Channel answers that contradict what is known"
        )?,
        channels: register_channels()?,
        intake: register_intake()?,
        saga: register_saga()?,
        stages: register_stages()?,
        routing: register_routing()?,
    })
}

fn register_channels() -> prometheus::Result<ChannelMetrics> {
    Ok(ChannelMetrics {
        call: register_histogram_vec!(
            "sluice_core_channel_call_seconds",
            "Calls to a channel",
            &["channel", "call"],
            LATENCY_BUCKETS.to_vec()
        )?,
        results: register_int_counter_vec!(
            "sluice_core_channel_results_total",
            "What channels answered",
            &["channel", "result"]
        )?,
        reconnects: register_int_counter_vec!(
            "sluice_core_channel_reconnects_total",
            "Tries to connect to a channel that failed and were made again",
            &["channel"]
        )?,
        waiting: register_int_gauge_vec!(
            "sluice_core_permit_waiting_orders",
            "Orders that wait for a free call permit of a channel",
            &["channel"]
        )?,
        secret_unusable: register_int_gauge_vec!(
            "sluice_core_secret_unusable",
            "1 while a secret's file can't be used and the one in force is older",
            &["secret"]
        )?,
    })
}

fn register_intake() -> prometheus::Result<IntakeMetrics> {
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
        lag: register_int_gauge!(
            "sluice_core_intake_lag_events",
            "Events of this instance's partitions whose offsets are not committed yet"
        )?,
    })
}

fn register_saga() -> prometheus::Result<SagaMetrics> {
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
    })
}

fn register_stages() -> prometheus::Result<RecoveryMetrics> {
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

fn register_routing() -> prometheus::Result<RoutingMetrics> {
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
