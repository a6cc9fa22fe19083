//! Names of the four schemas. Balance and ledger are services of their own: no
//! statement joins across schemas, and later each may live on its own server.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schemas {
    pub orders: String,
    pub balance: String,
    pub ledger: String,
    pub guard: String,
}

impl Schemas {
    /// `sluice` → `sluice_orders`, `sluice_balance`, `sluice_ledger`, `sluice_guard`.
    pub fn under(base: &str) -> anyhow::Result<Self> {
        let plain = !base.is_empty() && base.len() <= 40;
        if !plain || !base.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            anyhow::bail!("database name {base:?}: use letters, digits and _ (at most 40)");
        }
        Ok(Schemas {
            orders: format!("{base}_orders"),
            balance: format!("{base}_balance"),
            ledger: format!("{base}_ledger"),
            guard: format!("{base}_guard"),
        })
    }

    pub fn each(&self) -> [(&'static str, &str); 4] {
        [
            ("orders", &self.orders),
            ("balance", &self.balance),
            ("ledger", &self.ledger),
            ("guard", &self.guard),
        ]
    }
}
