//! Usage of limits: what a sent order has taken, to be given back if it fails.

use crate::orders::Order;
use crate::routing::Route;
use crate::routing::limits::total_key::{LimitTimes, LimitTotalKey, keys};
use rust_decimal::Decimal;

/// Amount that a sent order has taken of its totals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitUsage {
    pub order_id: String,
    pub keys: Vec<LimitTotalKey>,
    pub amount: Decimal,
}

impl LimitUsage {
    /// Finds the totals by the order's own channel and trade time and by the day in its route,
    /// which are fixed, so that the same rows are found again. An order claimed before
    /// routes had a day was counted by its trade time.
    ///
    /// `None` for what was never counted: settlements, and orders without a chosen route,
    /// sent before there were totals. A route that can't be read was written by a claim,
    /// so it counts.
    pub fn of(order: &Order) -> Option<Self> {
        let route = order.route.as_deref()?;
        let route = Route::read(Some(route));
        let chosen = route.as_ref().is_none_or(|r| r.chosen.is_some());
        let (channel, trade) = (order.channel.as_deref()?, order.trade_time.as_deref()?);
        let day = route.and_then(|r| r.day);
        let platform = day.as_deref().unwrap_or(trade);
        let keys = keys(order, channel, LimitTimes { platform, trade });
        chosen.then(|| LimitUsage {
            order_id: order.order_id.clone(),
            keys,
            amount: order.amount,
        })
    }
}
