//! How much of a point a breaker stops. Each decision is one match over the scopes
//! without a wildcard: a new scope does not compile until each has an answer.

use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A scope says which part of a point is stopped; narrower scopes trip first.
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
    pub const ALL: [BreakerScope; 5] = [
        BreakerScope::All,
        BreakerScope::Channel,
        BreakerScope::Merchant,
        BreakerScope::Account,
        BreakerScope::Currency,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            BreakerScope::All => "all",
            BreakerScope::Channel => "channel",
            BreakerScope::Merchant => "merchant",
            BreakerScope::Account => "account",
            BreakerScope::Currency => "currency",
        }
    }

    /// A rule may declare this scope, because it follows from the account that a finding
    /// names. A finding names no channel, merchant or currency.
    pub fn is_declarable(self) -> bool {
        match self {
            BreakerScope::All | BreakerScope::Account => true,
            BreakerScope::Channel | BreakerScope::Merchant | BreakerScope::Currency => false,
        }
    }

    /// A narrow scope stops one owner of money, and so counts on its rule's budget: many of them
    /// mean that the rule is wrong, or that everybody must be stopped.
    pub fn is_narrow(self) -> bool {
        match self {
            BreakerScope::Account | BreakerScope::Merchant => true,
            BreakerScope::All | BreakerScope::Channel | BreakerScope::Currency => false,
        }
    }

    /// A channel-bound scope stops one channel, and so an order that may leave by another one goes on.
    pub fn is_channel_bound(self) -> bool {
        match self {
            BreakerScope::Channel => true,
            BreakerScope::All
            | BreakerScope::Merchant
            | BreakerScope::Account
            | BreakerScope::Currency => false,
        }
    }
}

impl FromStr for BreakerScope {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        BreakerScope::ALL
            .into_iter()
            .find(|s| s.as_str() == text)
            .ok_or_else(|| {
                anyhow::anyhow!(
                    "breaker scope is all, channel, merchant, account or currency, not {text:?}"
                )
            })
    }
}
