//! Metrics of audits.

use crate::metrics::registry::{counter, gauge, registered};
use prometheus::{Gauge, IntCounter, IntGauge};

/// Metrics of runs over the data at rest.
pub struct AuditMetrics {
    pub running: IntGauge,
    pub completed_seconds: Gauge,
    pub took_seconds: Gauge,
    pub period_seconds: IntGauge,
    pub accounts: IntGauge,
    pub open_findings: IntGauge,
    pub unknown_seal_keys: IntGauge,
    pub entries_unsealed: IntGauge,
    pub suspects: IntCounter,
    pub failures: IntCounter,
}

impl AuditMetrics {
    pub(super) fn new() -> anyhow::Result<Self> {
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
            unknown_seal_keys: gauge(
                "sluice_sidecar_audit_unknown_seal_keys",
                "Keys of ledger entries' seals that this sidecar does not have",
            )?,
            entries_unsealed: gauge(
                "sluice_sidecar_audit_entries_unsealed",
                "1 while no ledger entry need have a seal",
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
