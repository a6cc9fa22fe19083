//! The limits of a configuration, found by whom an order is for. The most specific
//! row alone holds: one of the very key before one of every key, and among those one
//! of the very channel before one of every channel.

use crate::orders::Order;
use crate::routing::limits::total_key::LimitTotalKey;
use crate::routing::limits::totals::LimitTotals;
use crate::routing::rows::{ANY_KEY, RoutingLimitRow};
use crate::routing::{LimitScope, NoRouteAction};
use rust_decimal::Decimal;
use sluice_contract::money::Currency;
use std::collections::HashMap;

type LimitsByKey = HashMap<String, HashMap<String, RoutingLimitRow>>;

/// Limits by scope and currency.
#[derive(Debug, Default)]
pub struct RoutingLimits(HashMap<(LimitScope, Currency), LimitsByKey>);

/// A limit that an order would break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenLimit {
    pub by: String,
    pub reason: String,
    pub otherwise: NoRouteAction,
}

impl RoutingLimits {
    /// Sorts the rows.
    pub fn new(rows: &[RoutingLimitRow]) -> Self {
        let mut all = RoutingLimits::default();
        for row in rows {
            let by_key = all.0.entry((row.scope, row.currency)).or_default();
            by_key
                .entry(row.key.clone())
                .or_default()
                .insert(row.channel.clone(), row.clone());
        }
        all
    }

    fn find(
        &self,
        scope: LimitScope,
        key: &str,
        currency: Currency,
        channel: &str,
    ) -> Option<&RoutingLimitRow> {
        let by_key = self.0.get(&(scope, currency))?;
        let of = |key: &str| {
            let by_channel = by_key.get(key)?;
            by_channel.get(channel).or_else(|| by_channel.get(ANY_KEY))
        };
        of(key).or_else(|| of(ANY_KEY))
    }

    /// The limits that `order` would break on `channel`. `keys` are its totals there.
    pub fn broken(
        &self,
        order: &Order,
        channel: &str,
        keys: &[LimitTotalKey],
        totals: &LimitTotals,
    ) -> Vec<BrokenLimit> {
        let mut all = Vec::new();
        if self.0.is_empty() {
            return all;
        }
        for at in keys {
            let Some(row) = self.find(at.scope, &at.key, at.currency, channel) else {
                continue;
            };
            // Each scope has two keys, month before day: the payment alone is looked at once.
            let (name, limit) = if at.period.len() == 8 {
                ("day", row.day)
            } else {
                ("month", row.month)
            };
            if name == "month"
                && let Some(single) = row.single.filter(|single| order.amount > *single)
            {
                let reason = format!(
                    "{} is above {single} {} in one payment",
                    shown(order.amount),
                    at.currency
                );
                all.push(broken(row, at, "single", reason));
            }
            let Some(limit) = limit else { continue };
            let taken = totals.of(at).unwrap_or(Decimal::MAX);
            if taken
                .checked_add(order.amount)
                .is_none_or(|sum| sum > limit)
            {
                let (taken, amount) = (shown(taken), shown(order.amount));
                let reason = format!(
                    "{taken} of {limit} {} are taken in {}, {amount} more is too much",
                    at.currency, at.period
                );
                all.push(broken(row, at, name, reason));
            }
        }
        all.extend(self.nameless(order, channel));
        all
    }

    /// Refusal of an order that names no user while payments of users are limited: a limit
    /// that is left by leaving out a field is none. It fails, since no day names one.
    fn nameless(&self, order: &Order, channel: &str) -> Option<BrokenLimit> {
        let by_key = self.0.get(&(LimitScope::User, order.currency))?;
        let limited = by_key
            .values()
            .any(|of| of.contains_key(channel) || of.contains_key(ANY_KEY));
        (limited && order.user_id.is_none()).then(|| BrokenLimit {
            by: format!("limit user/-/{}", order.currency),
            reason: "the order names no user (userId), and payments are limited by user".to_owned(),
            otherwise: NoRouteAction::Fail,
        })
    }
}

fn shown(amount: Decimal) -> Decimal {
    amount.normalize()
}

fn broken(row: &RoutingLimitRow, at: &LimitTotalKey, name: &str, reason: String) -> BrokenLimit {
    let by = format!(
        "limit {} {}/{}/{}",
        name,
        at.scope.as_str(),
        at.key,
        at.currency
    );
    BrokenLimit {
        by,
        reason,
        otherwise: row.otherwise,
    }
}
