//! What Prometheus sees. Names are part of the contract with dashboards.

use prometheus::core::Collector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, default_registry,
};
use sluice_contract::telemetry::LATENCY_BUCKETS;
use std::sync::OnceLock;

pub struct Metrics {
    pub row_changes: IntCounter,
    pub transactions: IntCounter,
    pub events: IntCounter,
    pub events_set_aside: IntCounter,
    pub blind: IntGauge,
    pub lag_seconds: Gauge,
    pub verdicts: IntCounterVec,
    pub rule_errors: IntCounterVec,
    pub rules_loaded: IntGauge,
    pub reload_failures: IntCounter,
    pub breakers_open: IntGaugeVec,
    pub commit_seconds: Histogram,
    pub pairs_open: IntGauge,
    pub pairs_lagging: IntGauge,
    pub fence_token_seconds: Histogram,
}

static METRICS: OnceLock<Metrics> = OnceLock::new();

/// The process's metrics; made and registered once.
pub fn metrics() -> anyhow::Result<&'static Metrics> {
    if let Some(made) = METRICS.get() {
        return Ok(made);
    }
    let made = Metrics::new()?;
    Ok(METRICS.get_or_init(|| made))
}

fn registered<C: Collector + Clone + 'static>(collector: prometheus::Result<C>) -> anyhow::Result<C> {
    let collector = collector?;
    // Refused only if it is there already, by a racing first call.
    let _ = default_registry().register(Box::new(collector.clone()));
    Ok(collector)
}

fn counter(name: &str, help: &str) -> anyhow::Result<IntCounter> {
    registered(IntCounter::new(name, help))
}

fn gauge(name: &str, help: &str) -> anyhow::Result<IntGauge> {
    registered(IntGauge::new(name, help))
}

fn counters(name: &str, help: &str, labels: &[&str]) -> anyhow::Result<IntCounterVec> {
    registered(IntCounterVec::new(Opts::new(name, help), labels))
}

fn latency(name: &str, help: &str) -> anyhow::Result<Histogram> {
    registered(Histogram::with_opts(HistogramOpts::new(name, help).buckets(LATENCY_BUCKETS.to_vec())))
}

impl Metrics {
    fn new() -> anyhow::Result<Self> {
        Ok(Metrics {
            row_changes: counter("sluice_sidecar_row_changes_total", "Row changes of watched tables evaluated")?,
            transactions: counter("sluice_sidecar_transactions_total", "Transactions with watched rows evaluated")?,
            events: counter("sluice_sidecar_events_total", "Business events evaluated")?,
            events_set_aside: counter("sluice_sidecar_events_set_aside_total", "Business events that can't be read")?,
            blind: gauge("sluice_sidecar_blind", "1 while the sidecar can't see")?,
            lag_seconds: registered(Gauge::new(
                "sluice_sidecar_lag_seconds",
                "Age of the last own heartbeat that came back",
            ))?,
            verdicts: counters("sluice_sidecar_verdicts_total", "Verdicts recorded", &["rule", "outcome"])?,
            rule_errors: counters("sluice_sidecar_rule_errors_total", "Errors while evaluating a rule", &["rule"])?,
            rules_loaded: gauge("sluice_sidecar_rules_loaded", "Rules of the set in use")?,
            reload_failures: counter("sluice_sidecar_rule_reload_failures_total", "Rule sets refused")?,
            breakers_open: registered(IntGaugeVec::new(
                Opts::new("sluice_sidecar_breakers_open", "Open breakers per point"),
                &["point"],
            ))?,
            commit_seconds: latency("sluice_sidecar_commit_seconds", "Commit of verdicts, breakers and checkpoint")?,
            pairs_open: gauge("sluice_sidecar_pairs_open", "Pairs that wait for their other half")?,
            pairs_lagging: gauge(
                "sluice_sidecar_pairs_lagging",
                "Pair rules that can say nothing because the other source lags",
            )?,
            fence_token_seconds: latency(
                "sluice_sidecar_fence_token_seconds",
                "From a token's write to its announcement",
            )?,
        })
    }
}
