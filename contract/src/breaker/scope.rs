//! Scopes: how much of a point a breaker stops. Each decision is one match over the scopes
//! without a wildcard: a new scope does not compile until each has an answer.

use crate::string_enum;

string_enum! {
    /// A scope says which part of a point is stopped; narrower scopes trip first.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum BreakerScope("breaker scope") {
        All = "all",
        Channel = "channel",
        Merchant = "merchant",
        Account = "account",
        Currency = "currency",
    }
}

impl BreakerScope {
    /// A rule may declare this scope, because it follows from the account that a finding
    /// names. A finding names no channel, merchant or currency.
    pub fn is_declarable(self) -> bool {
        match self {
            BreakerScope::All | BreakerScope::Account => true,
            BreakerScope::Channel | BreakerScope::Merchant | BreakerScope::Currency => false,
        }
    }

    /// A narrow scope stops one owner of money, and so counts on its rule's budget: many of
    /// them mean that the rule is wrong, or that everybody must be stopped.
    pub fn is_narrow(self) -> bool {
        match self {
            BreakerScope::Account | BreakerScope::Merchant => true,
            BreakerScope::All | BreakerScope::Channel | BreakerScope::Currency => false,
        }
    }

    /// A channel-bound scope stops one channel, and so an order that may leave by another
    /// one goes on.
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
