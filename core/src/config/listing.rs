//! Settings of listings.

use anyhow::ensure;
use serde::Deserialize;

/// Lists of a client's orders, page by page.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListingConfig {
    /// Orders are listed once they are this old. An order's id is made before its commit:
    /// what commits late must not come in front of the page that a reader has read.
    /// Longer than a session may hold its locks, and than clocks of cores differ.
    pub delay_ms: u32,
}

impl Default for ListingConfig {
    fn default() -> Self {
        ListingConfig { delay_ms: 30_000 }
    }
}

impl ListingConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.delay_ms <= 600_000,
            "listing.delay_ms must be at most 600000"
        );
        Ok(())
    }
}
