//! Where money leaves.

use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A point at which money leaves, one for each kind of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerPoint {
    Refund,
    Settlement,
    CashOut,
}

impl BreakerPoint {
    pub const ALL: [BreakerPoint; 3] = [
        BreakerPoint::Refund,
        BreakerPoint::Settlement,
        BreakerPoint::CashOut,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            BreakerPoint::Refund => "refund",
            BreakerPoint::Settlement => "settlement",
            BreakerPoint::CashOut => "cash_out",
        }
    }
}

impl FromStr for BreakerPoint {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        BreakerPoint::ALL
            .into_iter()
            .find(|p| p.as_str() == text)
            .ok_or_else(|| {
                anyhow::anyhow!("breaker point is refund, settlement or cash_out, not {text:?}")
            })
    }
}
