//! Metrics of the workflow: the set in use, and what budgets and suppressions take.

use crate::metrics::registry::{counters, gauge, registered};
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts};

/// Metrics of rule sets, and of what the workflow takes from their verdicts.
pub struct WorkflowMetrics {
    pub version: IntGauge,
    pub info: IntGaugeVec,
    pub demoted: IntGauge,
    pub demotions: IntCounterVec,
    pub widened: IntCounterVec,
    pub suppressed: IntCounterVec,
    pub overruns: IntCounterVec,
    pub emergency_demotions: IntGauge,
    pub budget_stops: IntGauge,
    pub shadow_unwritten: IntCounterVec,
}

impl WorkflowMetrics {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(WorkflowMetrics {
            version: gauge("sluice_sidecar_rules_version", "Version of the set in use")?,
            info: registered(IntGaugeVec::new(
                Opts::new(
                    "sluice_sidecar_rules_info",
                    "1 for the hash of the set in use",
                ),
                &["hash"],
            ))?,
            demoted: gauge(
                "sluice_sidecar_rules_demoted",
                "Rules that their budget disarmed, till a person acts",
            )?,
            demotions: counters(
                "sluice_sidecar_rule_demotions_total",
                "Rules disarmed by their budget",
                &["rule"],
            )?,
            widened: counters(
                "sluice_sidecar_rule_widened_total",
                "Rules past their budget that stopped everybody, since others found the same",
                &["rule"],
            )?,
            suppressed: counters(
                "sluice_sidecar_suppressed_verdicts_total",
                "Verdicts that a suppression took",
                &["rule"],
            )?,
            overruns: counters(
                "sluice_sidecar_rule_budget_overruns_total",
                "Commits in which a critical rule was past its budget, and stopped its points for a while",
                &["rule"],
            )?,
            emergency_demotions: gauge(
                "sluice_sidecar_emergency_demotions",
                "Critical rules that one person has disarmed for an hour at most",
            )?,
            budget_stops: gauge(
                "sluice_sidecar_budget_stops",
                "Points that critical rules past their budget have stopped for a while",
            )?,
            shadow_unwritten: counters(
                "sluice_sidecar_shadow_verdicts_dropped_total",
                "Verdicts of rules in shadow beyond what is written down in an hour",
                &["rule"],
            )?,
        })
    }
}
