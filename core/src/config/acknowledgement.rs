//! Settings of stage 4 of recovery: upstreams that have to acknowledge ends.

use crate::config::NAMELESS_CLIENT;
use anyhow::ensure;
use serde::Deserialize;
use sluice_contract::settings::in_range;

/// Upstreams that must say that they know an order's end (stage 4 of recovery).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AcknowledgementConfig {
    /// Names as in `clients`; `local` if there are none.
    pub clients: Vec<String>,
    /// First wait before the end is told again; doubles up to `max_delay_ms`.
    pub initial_delay_ms: u64,
    pub max_delay_ms: u64,
    /// Told again so often before it is a person's case.
    pub max_notifications: u32,
}

impl Default for AcknowledgementConfig {
    fn default() -> Self {
        AcknowledgementConfig {
            clients: Vec::new(),
            initial_delay_ms: 60_000,
            max_delay_ms: 3_600_000,
            max_notifications: 12,
        }
    }
}

impl AcknowledgementConfig {
    /// Refuses what isn't possible, and clients that aren't in `known`.
    pub(super) fn check(&self, known: &[&str]) -> anyhow::Result<()> {
        let first = self.initial_delay_ms;
        in_range("acknowledgement.initial_delay_ms", first, 1..=86_400_000)?;
        let most = self.max_delay_ms;
        in_range("acknowledgement.max_delay_ms", most, first..=604_800_000)?;
        let count = self.max_notifications.into();
        in_range("acknowledgement.max_notifications", count, 0..=1_000)?;
        for client in &self.clients {
            let is_known =
                known.contains(&client.as_str()) || (known.is_empty() && client == NAMELESS_CLIENT);
            ensure!(
                is_known,
                "acknowledgement.clients: {client:?} is not in clients ({NAMELESS_CLIENT} if there are none)"
            );
        }
        Ok(())
    }
}
