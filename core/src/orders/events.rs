//! Builders of the outbox events that tell of an order.

use crate::orders::Order;
use sluice_contract::event::OrderEvent;

/// Tells that the order's money is reserved.
pub fn accepted_event(order: &Order, now_us: i64) -> OrderEvent {
    order_event(order, &format!("{}.accepted", order.kind.word()), now_us)
}

/// Builds the last event about `order` once more: the same id, so that whoever has
/// taken it in knows it.
pub fn repeated_event(order: &Order) -> OrderEvent {
    let name = if order.state.is_end() {
        order.state.as_str()
    } else {
        "accepted"
    };
    let kind = format!("{}.{name}", order.kind.word());
    OrderEvent {
        id: format!("{}-{}", order.order_id, order.notified_version),
        version: order.notified_version,
        ..order_event(order, &kind, order.notified_us)
    }
}

/// Builds the event that tells of `order` as it is now.
pub fn order_event(order: &Order, kind: &str, now_us: i64) -> OrderEvent {
    OrderEvent {
        id: format!("{}-{}", order.order_id, order.version),
        kind: kind.to_owned(),
        account_id: order.account_id.clone(),
        order_id: order.order_id.clone(),
        transaction_id: order.transaction_id.clone(),
        biz_no: order.biz_no.clone(),
        amount: order.amount,
        currency: order.currency.code().to_owned(),
        version: order.version,
        occurred_us: now_us,
        correlation_id: order.correlation_id.clone(),
        traceparent: order.traceparent.clone(),
    }
}
