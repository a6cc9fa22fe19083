//! Circuit breakers on money: point × scope (seed 003: refund, settlement and
//! cash-out are where a fault upstream can still be caught).

use crate::string_enum;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

string_enum! {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum BreakerPoint("breaker point") {
        Refund = "refund",
        Settlement = "settlement",
        CashOut = "cash_out",
    }
}

string_enum! {
    /// The part of a point that is stopped; narrower scopes trip first.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum BreakerScope("breaker scope") {
        All = "all",
        Channel = "channel",
        Merchant = "merchant",
        Account = "account",
        Currency = "currency",
    }
}

string_enum! {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum BreakerState("breaker state") {
        Closed = "closed",
        Open = "open",
    }
}

/// One breaker: `cash_out/account/A-17`. The key of scope `all` is `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BreakerKey {
    pub point: BreakerPoint,
    pub scope: BreakerScope,
    pub key: String,
}

impl fmt::Display for BreakerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}/{}",
            self.point.as_str(),
            self.scope.as_str(),
            self.key
        )
    }
}

impl FromStr for BreakerKey {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut parts = text.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(point), Some(scope), Some(key)) if !key.is_empty() => Ok(BreakerKey {
                point: point.parse()?,
                scope: scope.parse()?,
                key: key.to_owned(),
            }),
            _ => anyhow::bail!(
                "a breaker is written point/scope/key, as in cash_out/account/A-17, not {text:?}"
            ),
        }
    }
}
