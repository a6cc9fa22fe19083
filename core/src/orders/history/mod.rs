//! The history of an order: one row for each version of it, so that a gap shows.
//! Most are moves of its state; the others say what was done while it stayed (asked
//! for, published again). Written in the transaction of the change itself; never changed.

pub mod repo;

use crate::orders::Order;
use sluice_contract::order::OrderState;

/// The channel was asked what became of the order.
pub const QUERY_EVENT: &str = "query";
/// The reason why no channel takes the order was written into it.
pub const UNROUTED_EVENT: &str = "unrouted";

/// One move, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderTransition {
    pub account_id: String,
    pub order_id: String,
    /// The order's version after the move.
    pub version: i64,
    pub event: &'static str,
    pub from: OrderState,
    pub to: OrderState,
    pub channel: Option<String>,
    pub code: Option<String>,
}

impl OrderTransition {
    /// Makes the move that led `order` from `from` to where it is now.
    pub fn of(order: &Order, from: OrderState, event: &'static str) -> Self {
        OrderTransition {
            account_id: order.account_id.clone(),
            order_id: order.order_id.clone(),
            version: order.version,
            event,
            from,
            to: order.state,
            channel: order.channel.clone(),
            code: order.result_code.clone(),
        }
    }
}
