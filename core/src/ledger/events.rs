//! Builders of the outbox events that tell of a posting without an order.

use crate::ledger::{Posting, PostingKind};
use sluice_contract::event::OrderEvent;

/// Tells that money came in.
pub fn incoming_event(posting: &Posting, booking_id: &str, now_us: i64) -> OrderEvent {
    let kind = if posting.kind == PostingKind::Capture {
        "payment.captured"
    } else {
        "deposit.booked"
    };
    OrderEvent {
        id: booking_id.to_owned(),
        kind: kind.into(),
        account_id: posting.account_id.clone(),
        order_id: booking_id.to_owned(),
        transaction_id: posting.reference.clone(),
        biz_no: Some(posting.reference.clone()),
        amount: posting.amount,
        currency: posting.currency.code().into(),
        version: 1,
        occurred_us: now_us,
        correlation_id: None,
        traceparent: None,
    }
}
