//! Usage of limits: what a sent order has taken, to be given back if it fails.

use crate::orders::Order;
use crate::routing::Route;
use crate::routing::limits::total_key::{LimitTotalKey, keys};
use rust_decimal::Decimal;

/// Amount that a sent order has taken of its totals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitUsage {
    pub order_id: String,
    pub keys: Vec<LimitTotalKey>,
    pub amount: Decimal,
}

impl LimitUsage {
    /// Finds the totals by the order's own channel and trade time, which are fixed, so that
    /// the same rows are found again. `None` for what was never counted: settlements, and
    /// orders without a chosen route, sent before there were totals. A route that
    /// can't be read was written by a claim, so it counts.
    pub fn of(order: &Order) -> Option<Self> {
        let route = order.route.as_deref()?;
        let chosen = Route::read(Some(route)).is_none_or(|r| r.chosen.is_some());
        let (channel, trade_time) = (order.channel.as_deref()?, order.trade_time.as_deref()?);
        let keys = keys(order, channel, trade_time);
        chosen.then(|| LimitUsage {
            order_id: order.order_id.clone(),
            keys,
            amount: order.amount,
        })
    }
}
