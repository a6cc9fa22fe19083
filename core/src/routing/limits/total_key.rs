//! Keys of cumulative totals, and the keys that an order counts in.

use crate::orders::Order;
use crate::routing::LimitScope;
use sluice_contract::money::Currency;

/// Key of a total; sorts as the table's key does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitTotalKey {
    /// `YYYYMMDD` or `YYYYMM`: of the channel's zone in its own scope, else of the platform's.
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

/// Times whose day and month an order counts in, `YYYYMMDDhhmmss` or `YYYYMMDD` each.
#[derive(Debug, Clone, Copy)]
pub struct LimitTimes<'a> {
    /// In the zone of the platform (`day_zone`), as accounts, users and businesses know
    /// their day: one, whatever channel pays.
    pub platform: &'a str,
    /// The trade time, in the zone of the channel, whose own limits are by its day.
    pub trade: &'a str,
}

/// The totals that an order counts in: of its account, its business, its channel
/// and its user, for a day and its month.
pub fn keys(order: &Order, channel: &str, times: LimitTimes<'_>) -> Vec<LimitTotalKey> {
    let owners = [
        (LimitScope::Account, Some(order.account_id.as_str())),
        (LimitScope::Business, Some(order.client.as_str())),
        (LimitScope::Channel, Some(channel)),
        (LimitScope::User, order.user_id.as_deref()),
    ];
    let mut all = Vec::with_capacity(8);
    for (scope, owner) in owners {
        let Some(owner) = owner else { continue };
        let time = match scope {
            LimitScope::Channel => times.trade,
            LimitScope::Account | LimitScope::Business | LimitScope::User => times.platform,
        };
        for digits in [6, 8] {
            all.push(LimitTotalKey {
                scope,
                key: owner.to_owned(),
                currency: order.currency,
                period: time.get(..digits).unwrap_or_default().to_owned(),
            });
        }
    }
    all
}
