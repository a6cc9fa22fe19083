//! Settings of recovery.

use anyhow::ensure;
use serde::Deserialize;
use sluice_contract::settings::in_range;

/// Queries of channels, and the bounds past which an order is a person's case.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecoveryConfig {
    /// First query after a call without an answer; doubles up to `query_max_delay_ms`.
    pub query_initial_delay_ms: u64,
    pub query_max_delay_ms: u64,
    /// Wait for a callback before the first query.
    pub callback_wait_ms: u64,
    /// Queries without an end before the order becomes a person's case.
    pub max_queries: u32,
    /// Queries under way at once per channel.
    pub max_concurrent_queries: usize,
    /// An order that isn't on its way after this is a person's case; it still waits.
    pub unsent_case_after_ms: u64,
}

impl Default for RecoveryConfig {
    fn default() -> Self {
        RecoveryConfig {
            query_initial_delay_ms: 500,
            query_max_delay_ms: 60_000,
            callback_wait_ms: 10_000,
            max_queries: 20,
            max_concurrent_queries: 32,
            unsent_case_after_ms: 3_600_000,
        }
    }
}

impl RecoveryConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let first = self.query_initial_delay_ms;
        in_range("recovery.query_initial_delay_ms", first, 1..=3_600_000)?;
        let most = self.query_max_delay_ms;
        in_range("recovery.query_max_delay_ms", most, first..=86_400_000)?;
        in_range(
            "recovery.callback_wait_ms",
            self.callback_wait_ms,
            0..=3_600_000,
        )?;
        let case = self.unsent_case_after_ms;
        in_range("recovery.unsent_case_after_ms", case, 100..=604_800_000)?;
        ensure!(
            (1..=1_000).contains(&self.max_queries),
            "recovery.max_queries must be 1 to 1000"
        );
        ensure!(
            (1..=1_000).contains(&self.max_concurrent_queries),
            "recovery.max_concurrent_queries must be 1 to 1000"
        );
        Ok(())
    }
}
