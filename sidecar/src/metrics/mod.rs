//! Metrics of the sidecar, as Prometheus sees them. Names are part of the contract with
//! dashboards.

mod audit;
mod recording;
mod registry;
mod retention;
mod rules;
mod sidecar;
mod source;
mod state;
mod workflow;

pub use crate::metrics::audit::AuditMetrics;
pub use crate::metrics::recording::RecordingMetrics;
pub use crate::metrics::retention::GuardRetentionMetrics;
pub use crate::metrics::rules::RuleUseMetrics;
pub use crate::metrics::source::SourceMetrics;
pub use crate::metrics::state::StateMetrics;
pub use crate::metrics::workflow::WorkflowMetrics;

use prometheus::core::Collector;
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use std::sync::OnceLock;

/// Metrics of the process.
pub struct SidecarMetrics {
    pub row_changes: IntCounter,
    pub transactions: IntCounter,
    pub events: IntCounter,
    pub dead_letters: IntCounterVec,
    pub blind: IntGauge,
    pub transaction_macs: IntGauge,
    pub source: SourceMetrics,
    pub verdicts: IntCounterVec,
    pub rule_errors: IntCounterVec,
    pub rule_use: RuleUseMetrics,
    pub rules_loaded: IntGauge,
    pub reload_failures: IntCounter,
    pub workflow: WorkflowMetrics,
    pub breakers_open: IntGaugeVec,
    pub commit_seconds: Histogram,
    pub pairs_open: IntGauge,
    pub pairs_lagging: IntGauge,
    pub fence_token_seconds: Histogram,
    pub recording: RecordingMetrics,
    pub audit: AuditMetrics,
    pub retention: GuardRetentionMetrics,
    pub state: StateMetrics,
}

static METRICS: OnceLock<SidecarMetrics> = OnceLock::new();

/// Returns the process's metrics; made and registered once.
pub fn metrics() -> anyhow::Result<&'static SidecarMetrics> {
    if let Some(made) = METRICS.get() {
        return Ok(made);
    }
    let made = SidecarMetrics::new()?;
    Ok(METRICS.get_or_init(|| made))
}

impl SidecarMetrics {
    /// Counts events that no rule has seen, for whatever reason.
    pub fn dead_letter_count(&self) -> u64 {
        let values = self.dead_letters.collect();
        let counters = values.iter().flat_map(|family| family.get_metric());
        // Whole numbers far below 2^53.
        counters
            .map(|metric| metric.get_counter().get_value() as u64)
            .sum()
    }
}
