//! Keys of cumulative totals, and the keys that an order counts in.

use crate::orders::Order;
use crate::routing::LimitScope;
use sluice_contract::money::Currency;

/// Key of a total; sorts as the table's key does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitTotalKey {
    /// `YYYYMMDD` or `YYYYMM`, of the orders' trade times.
    pub period: String,
    pub scope: LimitScope,
    pub key: String,
    pub currency: Currency,
}

impl LimitTotalKey {
    /// Names the total for people.
    pub(super) fn label(&self) -> String {
        format!(
            "{}/{}/{}/{}",
            self.scope.as_str(),
            self.key,
            self.currency,
            self.period
        )
    }
}

/// The totals that an order counts in: of its account, its business, its channel
/// and its user, for the day and the month of `trade_time` (`YYYYMMDDhhmmss`).
pub fn keys(order: &Order, channel: &str, trade_time: &str) -> Vec<LimitTotalKey> {
    let owners = [
        (LimitScope::Account, Some(order.account_id.as_str())),
        (LimitScope::Business, Some(order.client.as_str())),
        (LimitScope::Channel, Some(channel)),
        (LimitScope::User, order.user_id.as_deref()),
    ];
    let mut all = Vec::with_capacity(8);
    for (scope, owner) in owners {
        let Some(owner) = owner else { continue };
        for digits in [6, 8] {
            let period = trade_time.get(..digits).unwrap_or_default().to_owned();
            all.push(LimitTotalKey {
                scope,
                key: owner.to_owned(),
                currency: order.currency,
                period,
            });
        }
    }
    all
}
