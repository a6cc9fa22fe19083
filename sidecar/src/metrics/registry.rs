//! Making and registering of collectors.

use prometheus::core::Collector;
use prometheus::{
    GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, default_registry,
};
use sluice_contract::telemetry::LATENCY_BUCKETS;

/// Registers a collector with the process's registry.
pub(super) fn registered<C: Collector + Clone + 'static>(
    collector: prometheus::Result<C>,
) -> anyhow::Result<C> {
    let collector = collector?;
    // Refused only if it is there already, by a racing first call.
    let _ = default_registry().register(Box::new(collector.clone()));
    Ok(collector)
}

/// Makes and registers a counter.
pub(super) fn counter(name: &str, help: &str) -> anyhow::Result<IntCounter> {
    registered(IntCounter::new(name, help))
}

/// Makes and registers a gauge of whole numbers.
pub(super) fn gauge(name: &str, help: &str) -> anyhow::Result<IntGauge> {
    registered(IntGauge::new(name, help))
}

/// Makes and registers gauges by one label.
pub(super) fn gauges(name: &str, help: &str, label: &str) -> anyhow::Result<GaugeVec> {
    registered(GaugeVec::new(Opts::new(name, help), &[label]))
}

/// Makes and registers counters by labels.
pub(super) fn counters(name: &str, help: &str, labels: &[&str]) -> anyhow::Result<IntCounterVec> {
    registered(IntCounterVec::new(Opts::new(name, help), labels))
}

/// Makes and registers a histogram of seconds.
pub(super) fn latency(name: &str, help: &str) -> anyhow::Result<Histogram> {
    registered(Histogram::with_opts(
        HistogramOpts::new(name, help).buckets(LATENCY_BUCKETS.to_vec()),
    ))
}
