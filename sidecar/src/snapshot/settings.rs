//! Settings of snapshots.

use anyhow::bail;
use serde::Deserialize;

/// Fewer would not get through a large ledger within a day.
const FEWEST_ROWS: u64 = 1_000;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How often everything at rest is checked; 0 for only when asked.
    pub interval_minutes: u32,
    /// Rows (balances, entries, captures, orders) read a second at most.
    pub max_rows_per_second: u64,
    /// Where the balance schema is, if it is on a server of its own.
    pub balance_url: String,
    /// The ledger's, likewise.
    pub ledger_url: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            interval_minutes: 60,
            max_rows_per_second: 1_000_000,
            balance_url: String::new(),
            ledger_url: String::new(),
        }
    }
}

impl Settings {
    /// Refuses what can't work; the error names the key.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.max_rows_per_second < FEWEST_ROWS {
            bail!(
                "audit.max_rows_per_second = {} is below {FEWEST_ROWS}",
                self.max_rows_per_second
            );
        }
        let named = [
            ("audit.balance_url", &self.balance_url),
            ("audit.ledger_url", &self.ledger_url),
        ];
        for (key, url) in named.into_iter().filter(|(_, url)| !url.is_empty()) {
            sluice_contract::sql::options_of(key, url)?;
        }
        Ok(())
    }
}

/// What to do once the binlog's position is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnLost {
    /// Check everything at rest, say that the gap was not read, and read on from now.
    #[default]
    Check,
    /// Stay blind until a person has mended it.
    Wait,
}
