//! Names and help of the sidecar's own metrics.

use crate::metrics::registry::{counter, counters, gauge, gauges, latency, registered};
use crate::metrics::{AuditMetrics, SidecarMetrics, WorkflowMetrics};
use prometheus::{Gauge, IntGaugeVec, Opts};

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
            lag_seconds: registered(Gauge::new(
                "sluice_sidecar_lag_seconds",
                "Age of the last own heartbeat that came back",
            ))?,
            heartbeat_wait_seconds: registered(Gauge::new(
                "sluice_sidecar_heartbeat_wait_seconds",
                "Age of the oldest own heartbeat that did not come back; 0 if all did",
            ))?,
            silence_seconds: gauges(
                "sluice_sidecar_source_silence_seconds",
                "Since a source last said anything, its heartbeats included",
                "source",
            )?,
            position_distance: registered(IntGaugeVec::new(
                Opts::new(
                    "sluice_sidecar_position_lag_transactions",
                    "Transactions that a server has and are not evaluated",
                ),
                &["server"],
            ))?,
            position_age_seconds: gauges(
                "sluice_sidecar_position_age_seconds",
                "Since a server last said where it is; 0 if it just did",
                "server",
            )?,
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
            recording: gauge(
                "sluice_sidecar_recording",
                "1 while what is evaluated is recorded",
            )?,
            recording_wanted: gauge(
                "sluice_sidecar_recording_enabled",
                "1 if a recording was asked for",
            )?,
            recorded: counter(
                "sluice_sidecar_recorded_inputs_total",
                "Inputs and marks recorded",
            )?,
            recording_lost: counter(
                "sluice_sidecar_recording_lost_inputs_total",
                "Inputs that a recording misses",
            )?,
            audit: AuditMetrics::new()?,
        })
    }
}
