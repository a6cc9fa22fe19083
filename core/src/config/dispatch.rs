//! Settings of dispatch.

use anyhow::ensure;
use serde::Deserialize;

/// A list of a thousand values or more becomes a subquery in MariaDB
/// (`in_predicate_conversion_threshold`), and the totals of a whole day would be locked.
const MAX_BATCH: usize = 512;

/// Claims and their queue.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DispatchConfig {
    pub enabled: bool,
    /// Most orders in one claim.
    pub max_batch: usize,
    /// Orders remembered between acceptance and claim; the rest is found by polling.
    pub queue_capacity: usize,
    /// Interval at which orders that nobody remembers are looked for.
    pub poll_interval_ms: u64,
}

impl Default for DispatchConfig {
    fn default() -> Self {
        DispatchConfig {
            enabled: true,
            max_batch: 256,
            queue_capacity: 50_000,
            poll_interval_ms: 500,
        }
    }
}

impl DispatchConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            (1..=MAX_BATCH).contains(&self.max_batch),
            "dispatch.max_batch must be 1 to {MAX_BATCH}"
        );
        Ok(())
    }
}
