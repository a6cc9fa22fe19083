//! Metrics of the core. Names follow Prometheus' conventions; label sets are
//! bounded by code, never by data.

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use prometheus::{register_histogram, register_histogram_vec, register_int_counter, register_int_counter_vec};
use prometheus::{register_int_gauge, register_int_gauge_vec};
use sluice_contract::telemetry::LATENCY_BUCKETS;
use std::sync::LazyLock;

pub struct Metrics {
    pub requests: IntCounterVec,
    pub accept: Histogram,
    pub accept_batch: Histogram,
    pub orders: IntCounterVec,
    pub claimed: IntCounter,
    pub blocked: IntGaugeVec,
    pub fence_wait: Histogram,
    pub fence_stalled: IntGauge,
    pub channel_call: HistogramVec,
    pub channel_results: IntCounterVec,
    pub channel_reconnects: IntCounterVec,
    pub slot_waiting: IntGaugeVec,
    pub secret_unusable: IntGaugeVec,
    pub unfinished: IntGaugeVec,
    pub oldest_unfinished: IntGauge,
    pub outbox_rows: IntGauge,
    pub outbox_oldest: IntGauge,
    pub published: IntCounter,
    pub publish_failures: IntCounter,
    pub contradictions: IntCounter,
    pub intake: IntCounterVec,
    pub intake_retries: IntCounter,
    pub intake_lag: IntGauge,
    pub saga_open: IntGauge,
    pub saga_oldest: IntGauge,
    pub saga_failures: IntCounterVec,
    pub stage_orders: IntGaugeVec,
    pub stage_oldest: IntGaugeVec,
    pub stage_late: IntGaugeVec,
    pub stage_results: IntCounterVec,
    pub cases_open: IntGaugeVec,
    pub routing_version: IntGauge,
    pub routing_invalid: IntGauge,
    pub route_rejections: IntCounterVec,
    pub unrouted: IntGauge,
    pub unrouted_oldest: IntGauge,
    pub unroutable: IntCounter,
}

pub static METRICS: LazyLock<Metrics> = LazyLock::new(|| match register() {
    Ok(metrics) => metrics,
    // Names are constants of this file: a clash is a bug seen at the first start.
    Err(error) => unreachable!("metrics: {error}"),
});

fn register() -> prometheus::Result<Metrics> {
    let latency = LATENCY_BUCKETS.to_vec();
    let sizes = vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];
    Ok(Metrics {
        requests: register_int_counter_vec!(
            "sluice_core_requests_total",
            "API requests answered",
            &["route", "status"]
        )?,
        accept: register_histogram!(
            "sluice_core_accept_seconds",
            "From a request's body to its durable answer",
            latency.clone()
        )?,
        accept_batch: register_histogram!(
            "sluice_core_accept_batch_orders",
            "Requests sharing one accept transaction",
            sizes
        )?,
        orders: register_int_counter_vec!("sluice_core_orders_total", "Orders that moved into a state", &["state"])?,
        claimed: register_int_counter!("sluice_core_claimed_total", "Orders claimed for sending")?,
        blocked: register_int_gauge_vec!("sluice_core_blocked_orders", "Orders held back at the last look", &["by"])?,
        fence_wait: register_histogram!(
            "sluice_core_fence_wait_seconds",
            "From raising a token to its passing",
            latency.clone()
        )?,
        fence_stalled: register_int_gauge!(
            "sluice_core_fence_stalled",
            "1 while the sidecar is blind or out of reach"
        )?,
        channel_call: register_histogram_vec!(
            "sluice_core_channel_call_seconds",
            "Calls to a channel",
            &["channel", "call"],
            latency
        )?,
        channel_results: register_int_counter_vec!(
            "sluice_core_channel_results_total",
            "What channels answered",
            &["channel", "result"]
        )?,
        channel_reconnects: register_int_counter_vec!(
            "sluice_core_channel_reconnects_total",
            "Tries to connect to a channel that failed and were made again",
            &["channel"]
        )?,
        slot_waiting: register_int_gauge_vec!(
            "sluice_core_slot_waiting_orders",
            "Orders that wait for a free call slot of a channel",
            &["channel"]
        )?,
        secret_unusable: register_int_gauge_vec!(
            "sluice_core_secret_unusable",
            "1 while a secret's file can't be used and the one in force is older",
            &["secret"]
        )?,
        unfinished: register_int_gauge_vec!("sluice_core_unfinished_orders", "Orders not at their end", &["state"])?,
        oldest_unfinished: register_int_gauge!(
            "sluice_core_oldest_unfinished_seconds",
            "Age of the oldest order not at its end"
        )?,
        outbox_rows: register_int_gauge!("sluice_core_outbox_rows", "Transactions whose events are not published yet")?,
        outbox_oldest: register_int_gauge!(
            "sluice_core_outbox_oldest_seconds",
            "Age of the oldest unpublished transaction"
        )?,
        published: register_int_counter!("sluice_core_published_total", "Events acknowledged by Kafka")?,
        publish_failures: register_int_counter!(
            "sluice_core_publish_failures_total",
            "Rounds of the relay that Kafka or the database failed"
        )?,
        contradictions: register_int_counter!(
            "sluice_core_contradictions_total",
            "Channel answers that contradict what is known"
        )?,
        intake: register_int_counter_vec!(
            "sluice_core_intake_events_total",
            "Events read from the payments' topic: booked, repeated, conflict, set_aside, other",
            &["result"]
        )?,
        intake_retries: register_int_counter!(
            "sluice_core_intake_retries_total",
            "Rounds of payments that could not be booked yet"
        )?,
        intake_lag: register_int_gauge!(
            "sluice_core_intake_lag_events",
            "Events of this instance's partitions whose offsets are not committed yet"
        )?,
        saga_open: register_int_gauge!(
            "sluice_core_saga_open_bookings",
            "Bookings that are decided and not known to be made by balance and ledger"
        )?,
        saga_oldest: register_int_gauge!("sluice_core_saga_oldest_seconds", "Age of the oldest open booking")?,
        saga_failures: register_int_counter_vec!(
            "sluice_core_saga_failures_total",
            "Drives of open bookings that a service failed, and bookings that can't be made",
            &["at"]
        )?,
        stage_orders: register_int_gauge_vec!(
            "sluice_core_stage_orders",
            "Orders in each stage of recovery",
            &["stage"]
        )?,
        stage_oldest: register_int_gauge_vec!(
            "sluice_core_stage_oldest_seconds",
            "Age of the oldest order of the stage; in stage upstream, since it was told",
            &["stage"]
        )?,
        stage_late: register_int_gauge_vec!(
            "sluice_core_stage_late_seconds",
            "How long the order that recovery should have looked at first has been due",
            &["stage"]
        )?,
        stage_results: register_int_counter_vec!(
            "sluice_core_stage_results_total",
            "What recovery did, by stage: a channel's answer to a query, told again, a case",
            &["stage", "result"]
        )?,
        cases_open: register_int_gauge_vec!("sluice_core_cases_open", "Cases that wait for a person", &["kind"])?,
        routing_version: register_int_gauge!(
            "sluice_core_routing_version",
            "Routing configuration that this core decides by; 0 without any"
        )?,
        routing_invalid: register_int_gauge!(
            "sluice_core_routing_invalid",
            "1 while the routing configuration in force can't be used"
        )?,
        route_rejections: register_int_counter_vec!(
            "sluice_core_route_rejections_total",
            "Channels that did not take an order, when it was written down",
            &["by"]
        )?,
        unrouted: register_int_gauge!("sluice_core_unrouted_orders", "Orders that no channel takes now")?,
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
