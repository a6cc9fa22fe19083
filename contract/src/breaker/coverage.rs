//! Which orders a breaker covers, and which breaker follows from a finding.
//!
//! | scope | covers an order whose | widens to |
//! |---|---|---|
//! | all | point is the breaker's | all (there is nothing wider) |
//! | channel | channel is the key; none is chosen yet: not covered | all |
//! | merchant | account is the key | all |
//! | account | account is the key | all |
//! | currency | currency is the key | all |

use crate::breaker::key::ALL_KEY;
use crate::breaker::{BreakerKey, BreakerPoint, BreakerScope};

impl BreakerScope {
    /// The key under which a breaker of this scope stops an order, or `None` if no such
    /// breaker can: the order has no channel yet.
    fn order_key<'a>(
        self,
        account: &'a str,
        channel: Option<&'a str>,
        currency: &'a str,
    ) -> Option<&'a str> {
        match self {
            BreakerScope::All => Some(ALL_KEY),
            BreakerScope::Account | BreakerScope::Merchant => Some(account),
            BreakerScope::Channel => channel,
            BreakerScope::Currency => Some(currency),
        }
    }
}

impl BreakerKey {
    /// This breaker stops an order of `account` in `currency` at `point`. Without a
    /// `channel` it answers for whichever channel will take the order, and breakers of
    /// channels stop nothing.
    pub fn covers(
        &self,
        point: BreakerPoint,
        account: &str,
        channel: Option<&str>,
        currency: &str,
    ) -> bool {
        // Scope all stops everybody even if somebody wrote another key by hand.
        let keyed = || self.scope.order_key(account, channel, currency) == Some(self.key.as_str());
        self.point == point && (self.scope == BreakerScope::All || keyed())
    }
}

/// Lists the breakers that cover an order, one for each scope that can: for whoever
/// has too many open ones to ask each of them.
pub fn covering_keys<'a>(
    point: BreakerPoint,
    account: &'a str,
    channel: Option<&'a str>,
    currency: &'a str,
) -> impl Iterator<Item = BreakerKey> + 'a {
    BreakerScope::ALL.into_iter().filter_map(move |scope| {
        let key = scope.order_key(account, channel, currency)?.to_owned();
        Some(BreakerKey { point, scope, key })
    })
}

/// Names the breaker that follows from a finding on `account`, of a rule that declares
/// `declared`. An unknown (empty) account means that nobody knows whose money it is, so
/// everybody is stopped; so does a scope for which a finding names no key.
pub fn key_for(point: BreakerPoint, declared: BreakerScope, account: &str) -> BreakerKey {
    match declared {
        BreakerScope::Account if account.is_empty() => BreakerKey::all(point),
        BreakerScope::Account => BreakerKey {
            point,
            scope: declared,
            key: account.to_owned(),
        },
        BreakerScope::All
        | BreakerScope::Channel
        | BreakerScope::Merchant
        | BreakerScope::Currency => BreakerKey::all(point),
    }
}

/// Names the next wider breaker of the same point. Every scope widens to everybody in
/// one step; a ladder (account → merchant → all) would be written here and nowhere
/// else.
pub fn widen(key: &BreakerKey) -> BreakerKey {
    match key.scope {
        BreakerScope::All
        | BreakerScope::Channel
        | BreakerScope::Merchant
        | BreakerScope::Account
        | BreakerScope::Currency => BreakerKey::all(key.point),
    }
}
