//! Metrics of the vault.

use prometheus::{IntGauge, register_int_gauge};
use std::sync::LazyLock;

pub(super) struct VaultMetrics {
    pub unreadable: IntGauge,
}

/// The process' metrics, registered at first use.
pub(super) static METRICS: LazyLock<VaultMetrics> = LazyLock::new(|| match register() {
    Ok(metrics) => metrics,
    // Names are constants of this file: a clash is a bug seen at the first start.
    Err(error) => unreachable!("metrics: {error}"),
});

fn register() -> prometheus::Result<VaultMetrics> {
    Ok(VaultMetrics {
        unreadable: register_int_gauge!(
            "sluice_vault_unreadable",
            "1 while the vault can't be read and the secrets read last stay in force"
        )?,
    })
}
