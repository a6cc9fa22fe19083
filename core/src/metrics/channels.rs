//! Metrics of the calls to channels.

use prometheus::{
    HistogramVec, IntCounterVec, IntGaugeVec, register_histogram_vec, register_int_counter_vec,
    register_int_gauge_vec,
};
use sluice_contract::telemetry::LATENCY_BUCKETS;

/// Calls to channels, and what stands before them.
pub struct ChannelMetrics {
    pub call: HistogramVec,
    pub results: IntCounterVec,
    pub reconnects: IntCounterVec,
    pub waiting: IntGaugeVec,
    pub secret_unusable: IntGaugeVec,
}

pub(super) fn register() -> prometheus::Result<ChannelMetrics> {
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
