//! Settings of dispatch.

use serde::Deserialize;
use sluice_contract::settings::in_range;

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
        in_range(
            "dispatch.max_batch",
            self.max_batch as u64,
            1..=MAX_BATCH as u64,
        )?;
        let queue = self.queue_capacity as u64;
        in_range("dispatch.queue_capacity", queue, 1..=1_000_000)?;
        // 0 would ask the database without a pause.
        in_range(
            "dispatch.poll_interval_ms",
            self.poll_interval_ms,
            10..=60_000,
        )
    }
}
