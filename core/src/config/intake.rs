//! Settings of the payment intake.

use anyhow::ensure;
use serde::Deserialize;
use sluice_contract::ids::is_plain;

/// Payments from Kafka. Without brokers there are none.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IntakeConfig {
    pub enabled: bool,
    /// Consumer group that all cores of one database share.
    pub group: String,
}

impl Default for IntakeConfig {
    fn default() -> Self {
        IntakeConfig {
            enabled: true,
            group: "sluice-core".into(),
        }
    }
}

impl IntakeConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            is_plain(&self.group, 64),
            "intake.group = {:?} is not a plain name",
            self.group
        );
        Ok(())
    }
}
