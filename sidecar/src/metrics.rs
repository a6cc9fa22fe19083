//! What Prometheus sees. Names are part of the contract with dashboards.

use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, default_registry,
};
use sluice_contract::telemetry::LATENCY_BUCKETS;
use std::sync::OnceLock;

pub struct SidecarMetrics {
    pub row_changes: IntCounter,
    pub transactions: IntCounter,
    pub events: IntCounter,
    pub dead_letters: IntCounterVec,
    pub blind: IntGauge,
    pub lag_seconds: Gauge,
    pub heartbeat_wait_seconds: Gauge,
    pub silence_seconds: GaugeVec,
    pub position_distance: IntGaugeVec,
    pub position_age_seconds: GaugeVec,
    pub verdicts: IntCounterVec,
    pub rule_errors: IntCounterVec,
    pub rules_loaded: IntGauge,
    pub reload_failures: IntCounter,
    pub workflow: WorkflowMetrics,
    pub breakers_open: IntGaugeVec,
    pub commit_seconds: Histogram,
    pub pairs_open: IntGauge,
    pub pairs_lagging: IntGauge,
    pub fence_token_seconds: Histogram,
    pub recording: IntGauge,
    pub recording_wanted: IntGauge,
    pub recorded: IntCounter,
    pub recording_lost: IntCounter,
    pub audit: AuditMetrics,
}

/// Rule sets, and what the workflow takes from their verdicts.
pub struct WorkflowMetrics {
    pub version: IntGauge,
    pub info: IntGaugeVec,
    pub demoted: IntGauge,
    pub demotions: IntCounterVec,
    pub widened: IntCounterVec,
    pub suppressed: IntCounterVec,
    pub shadow_unwritten: IntCounterVec,
}

/// Runs over the data at rest.
pub struct AuditMetrics {
    pub running: IntGauge,
    pub completed_seconds: Gauge,
    pub took_seconds: Gauge,
    pub period_seconds: IntGauge,
    pub accounts: IntGauge,
    pub open_findings: IntGauge,
    pub suspects: IntCounter,
    pub failures: IntCounter,
}

static METRICS: OnceLock<SidecarMetrics> = OnceLock::new();

/// The process's metrics; made and registered once.
pub fn metrics() -> anyhow::Result<&'static SidecarMetrics> {
    if let Some(made) = METRICS.get() {
        return Ok(made);
    }
    let made = SidecarMetrics::new()?;
    Ok(METRICS.get_or_init(|| made))
}

fn registered<C: Collector + Clone + 'static>(
    collector: prometheus::Result<C>,
) -> anyhow::Result<C> {
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

fn gauges(name: &str, help: &str, label: &str) -> anyhow::Result<GaugeVec> {
    registered(GaugeVec::new(Opts::new(name, help), &[label]))
}

fn counters(name: &str, help: &str, labels: &[&str]) -> anyhow::Result<IntCounterVec> {
    registered(IntCounterVec::new(Opts::new(name, help), labels))
}

fn latency(name: &str, help: &str) -> anyhow::Result<Histogram> {
    registered(Histogram::with_opts(
        HistogramOpts::new(name, help).buckets(LATENCY_BUCKETS.to_vec()),
    ))
}

impl SidecarMetrics {
    fn new() -> anyhow::Result<Self> {
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

impl SidecarMetrics {
    /// Events set aside, for whatever reason.
    pub fn dead_letter_count(&self) -> u64 {
        let values = self.dead_letters.collect();
        let counters = values.iter().flat_map(|family| family.get_metric());
        // Whole numbers far below 2^53.
        counters
            .map(|metric| metric.get_counter().get_value() as u64)
            .sum()
    }
}

impl WorkflowMetrics {
    fn new() -> anyhow::Result<Self> {
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
            shadow_unwritten: counters(
                "sluice_sidecar_shadow_verdicts_dropped_total",
                "Verdicts of rules in shadow beyond what is written down in an hour",
                &["rule"],
            )?,
        })
    }
}

impl AuditMetrics {
    fn new() -> anyhow::Result<Self> {
        let seconds = |name: &str, help: &str| registered(Gauge::new(name, help));
        Ok(AuditMetrics {
            running: gauge(
                "sluice_sidecar_audit_running",
                "1 while the data at rest is being checked",
            )?,
            completed_seconds: seconds(
                "sluice_sidecar_audit_completed_timestamp_seconds",
                "Unix time of the last complete run over the data at rest; 0 if there was none",
            )?,
            took_seconds: seconds(
                "sluice_sidecar_audit_duration_seconds",
                "How long the last complete run took",
            )?,
            period_seconds: gauge(
                "sluice_sidecar_audit_interval_seconds",
                "How often a run is due; 0 for only when asked",
            )?,
            accounts: gauge(
                "sluice_sidecar_audit_accounts",
                "Balances that the last complete run compared",
            )?,
            open_findings: gauge(
                "sluice_sidecar_audit_open_findings",
                "Differences at rest that stand",
            )?,
            suspects: counter(
                "sluice_sidecar_audit_suspects_total",
                "Accounts that were read a second time",
            )?,
            failures: counter(
                "sluice_sidecar_audit_failures_total",
                "Runs that could not be completed",
            )?,
        })
    }
}
