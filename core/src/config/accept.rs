//! Settings of accepting.

use anyhow::ensure;
use serde::Deserialize;

/// Group commit of requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AcceptConfig {
    /// Connections that write accept transactions side by side.
    pub writers: usize,
    /// Most requests in one transaction: larger batches were no faster when measured.
    pub max_batch: usize,
    /// Shortest time between two batches of a writer, unless one is full: what a
    /// request may wait so that many share a commit.
    pub linger_ms: u64,
    /// Requests that may wait per writer before callers get 503.
    pub queue_capacity: usize,
    /// Largest request body in bytes.
    pub max_body_bytes: usize,
}

impl Default for AcceptConfig {
    fn default() -> Self {
        AcceptConfig {
            writers: 2,
            max_batch: 128,
            linger_ms: 8,
            queue_capacity: 4_096,
            max_body_bytes: 16_384,
        }
    }
}

impl AcceptConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            (1..=64).contains(&self.writers),
            "accept.writers must be 1 to 64"
        );
        ensure!(
            (1..=512).contains(&self.max_batch),
            "accept.max_batch must be 1 to 512"
        );
        Ok(())
    }
}
