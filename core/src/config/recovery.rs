//! Settings of recovery.

use anyhow::ensure;
use serde::Deserialize;
use sluice_contract::settings::in_range;

/// Longest bound that a setting may name: 90 days.
const MAX_BOUND_MS: u64 = 90 * 86_400_000;

/// Queries of channels, and the bounds past which an order is a person's case.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecoveryConfig {
    /// First query after a call without an answer; doubles up to `query_max_delay_ms`.
    pub query_initial_delay_ms: u64,
    pub query_max_delay_ms: u64,
    /// Wait for a callback before the first query.
    pub callback_wait_ms: u64,
    /// Silence of a channel after which an order becomes a person's case: since it last said
    /// that it has the order, or since the order was first sent.
    pub silence_case_after_ms: u64,
    /// An order that its channel has, and has not ended after this, is a person's case too.
    pub pending_case_after_ms: u64,
    /// Longest wait between two queries for an order that is a person's case.
    pub manual_query_max_delay_ms: u64,
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
            silence_case_after_ms: 900_000,
            pending_case_after_ms: 86_400_000,
            manual_query_max_delay_ms: 3_600_000,
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
        for (name, ms) in [
            ("silence_case_after_ms", self.silence_case_after_ms),
            ("pending_case_after_ms", self.pending_case_after_ms),
            ("manual_query_max_delay_ms", self.manual_query_max_delay_ms),
        ] {
            ensure!(
                (1..=MAX_BOUND_MS).contains(&ms),
                "recovery.{name} must be 1 to {MAX_BOUND_MS} (90 days)"
            );
        }
        ensure!(
            (1..=1_000).contains(&self.max_concurrent_queries),
            "recovery.max_concurrent_queries must be 1 to 1000"
        );
        Ok(())
    }
}
