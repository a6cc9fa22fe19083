//! Circuit breakers on money: point × scope (seed 003: refund, settlement and
//! cash-out are where a fault upstream can still be caught).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerPoint {
    Refund,
    Settlement,
    CashOut,
}

impl BreakerPoint {
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
        [
            BreakerPoint::Refund,
            BreakerPoint::Settlement,
            BreakerPoint::CashOut,
        ]
        .into_iter()
        .find(|p| p.as_str() == text)
        .ok_or_else(|| {
            anyhow::anyhow!("breaker point is refund, settlement or cash_out, not {text:?}")
        })
    }
}

/// What part of a point is stopped; narrower scopes trip first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerScope {
    All,
    Channel,
    Merchant,
    Account,
    Currency,
}

impl BreakerScope {
    pub fn as_str(self) -> &'static str {
        match self {
            BreakerScope::All => "all",
            BreakerScope::Channel => "channel",
            BreakerScope::Merchant => "merchant",
            BreakerScope::Account => "account",
            BreakerScope::Currency => "currency",
        }
    }
}

impl FromStr for BreakerScope {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        [
            BreakerScope::All,
            BreakerScope::Channel,
            BreakerScope::Merchant,
            BreakerScope::Account,
            BreakerScope::Currency,
        ]
        .into_iter()
        .find(|s| s.as_str() == text)
        .ok_or_else(|| {
            anyhow::anyhow!(
                "breaker scope is all, channel, merchant, account or currency, not {text:?}"
            )
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    Closed,
    Open,
}

impl BreakerState {
    pub fn as_str(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::Open => "open",
        }
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
