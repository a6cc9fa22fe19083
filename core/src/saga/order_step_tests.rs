//! Orders that learn their bookings' results.

use super::*;
use crate::balance::BookingError;
use crate::ledger::Posting;
use crate::orders::events::repeated_event;
use crate::orders::sample;
use sluice_contract::order::OrderKind;

const NOW_US: i64 = 7_000_000;

fn learned(done: BookingResult, order: &Order) -> OrderStepChanges {
    let posting = Posting::of_order(order, PostingKind::Reserve);
    let intent = BookingIntent {
        posting,
        order_id: order.order_id.clone(),
        kind: order.kind,
        payment_no: None,
        counterparty: None,
        unknown_payer_ok: false,
        client: order.client.clone(),
        key: "k".into(),
        created_us: 1,
        correlation_id: None,
        traceparent: None,
    };
    learn(&[(&intent, done)], vec![order.clone()], NOW_US)
}

/// An order whose booking was waited for so long that a person was called.
fn waiting() -> Order {
    Order {
        state: OrderState::Booking,
        has_open_case: true,
        version: 2,
        ..sample(OrderKind::CashOut)
    }
}

#[test]
fn a_repeated_event_is_the_one_that_was_published() {
    let learned = learned(BookingResult::Booked, &waiting());
    assert_eq!(learned.orders[0].state, OrderState::Init);
    assert_eq!(learned.events, [repeated_event(&learned.orders[0])]);
    // It goes on as "not sent" until it is sent: the case stays.
    assert!(learned.closings.is_empty() && learned.orders[0].has_open_case);
}

#[test]
fn an_order_without_cover_closes_its_case() {
    let refused = BookingResult::Refused(BookingError::Insufficient);
    let told = learned(refused, &waiting());
    let [order] = told.orders.as_slice() else {
        panic!("{:?}", told.orders)
    };
    assert_eq!(
        (order.state, order.has_open_case),
        (OrderState::Failed, false)
    );
    let closing = CaseClosing {
        account_id: order.account_id.clone(),
        order_id: order.order_id.clone(),
        by: "core",
    };
    assert_eq!(told.closings, [closing]);
    assert!(told.events.is_empty());
    let without = Order {
        has_open_case: false,
        ..waiting()
    };
    assert!(learned(refused, &without).closings.is_empty());
}
