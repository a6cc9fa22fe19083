//! Names and help of the sidecar's own metrics.

use crate::metrics::registry::{counter, counters, gauge, latency, registered};
use crate::metrics::{
    AuditMetrics, GuardRetentionMetrics, RecordingMetrics, RuleUseMetrics, SidecarMetrics,
    SourceMetrics, StateMetrics, WorkflowMetrics,
};
use prometheus::{IntGaugeVec, Opts};

impl SidecarMetrics {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(SidecarMetrics {
            row_changes: counter(
                "sluice_sidecar_row_changes_total",
                "Row changes of watched tables evaluated",
            )?,
            transactions: counter(
                "sluice_sidecar_transactions_total",
                "Transactions with watched rows evaluated",
            )?,
            events: counter("sluice_sidecar_events_total", "Business events evaluated")?,
            dead_letters: counters(
                "sluice_sidecar_dead_letters_total",
                "Business events that can't be read",
                &["reason"],
            )?,
            blind: gauge("sluice_sidecar_blind", "1 while the sidecar can't see")?,
            transaction_macs: gauge(
                "sluice_sidecar_transaction_macs",
                "1 while a MAC alone makes a transaction the core's",
            )?,
            source: SourceMetrics::new()?,
            verdicts: counters(
                "sluice_sidecar_verdicts_total",
                "Verdicts recorded",
                &["rule", "outcome"],
            )?,
            rule_errors: counters(
                "sluice_sidecar_rule_errors_total",
                "Errors while evaluating a rule",
                &["rule"],
            )?,
            rule_use: RuleUseMetrics::new()?,
            rules_loaded: gauge("sluice_sidecar_rules_loaded", "Rules of the set in use")?,
            reload_failures: counter(
                "sluice_sidecar_rule_reload_failures_total",
                "Rule sets refused",
            )?,
            workflow: WorkflowMetrics::new()?,
            breakers_open: registered(IntGaugeVec::new(
                Opts::new("sluice_sidecar_breakers_open", "Open breakers per point"),
                &["point"],
            ))?,
            commit_seconds: latency(
                "sluice_sidecar_commit_seconds",
                "Commit of verdicts, breakers and checkpoint",
            )?,
            pairs_open: gauge(
                "sluice_sidecar_pairs_open",
                "Pairs that wait for their other half",
            )?,
            pairs_lagging: gauge(
                "sluice_sidecar_pairs_lagging",
                "Pair rules that can say nothing because the other source lags",
            )?,
            fence_token_seconds: latency(
                "sluice_sidecar_fence_token_seconds",
                "From a token's write to its announcement",
            )?,
            recording: RecordingMetrics::new()?,
            audit: AuditMetrics::new()?,
            retention: GuardRetentionMetrics::new()?,
            state: StateMetrics::new()?,
        })
    }
}
