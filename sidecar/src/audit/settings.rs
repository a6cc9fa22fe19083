//! Settings of snapshots.

use anyhow::bail;
use serde::Deserialize;

/// Fewer would not get through a large ledger within a day.
const MIN_ROWS_PER_SECOND: u64 = 1_000;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSettings {
    /// Minutes between two checks of everything at rest; 0 for only when asked.
    pub interval_minutes: u32,
    /// Rows (balances, entries, captures, orders) read a second at most.
    pub max_rows_per_second: u64,
    /// URL of the balance schema, if it is on a server of its own.
    pub balance_url: String,
    /// The ledger's, likewise.
    pub ledger_url: String,
}

impl Default for AuditSettings {
    fn default() -> Self {
        AuditSettings {
            interval_minutes: 60,
            max_rows_per_second: 1_000_000,
            balance_url: String::new(),
            ledger_url: String::new(),
        }
    }
}

impl AuditSettings {
    /// Refuses what can't work; the error names the key.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.max_rows_per_second < MIN_ROWS_PER_SECOND {
            bail!(
                "audit.max_rows_per_second = {} is below {MIN_ROWS_PER_SECOND}",
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

/// Policy once the binlog's position is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LostPositionPolicy {
    /// Check everything at rest, say that the gap was not read, and read on from now. Balanced
    /// books don't show another payee or an order that nobody asked for, so that every point
    /// is stopped until a person has answered for the gap.
    Check,
    /// Stay blind until a person has mended it.
    #[default]
    Wait,
}
