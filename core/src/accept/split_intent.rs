//! Intents of new requests.

use crate::accept::decide::new_order;
use crate::accept::{BookingRequest, IdempotentRequest};
use crate::intents::BookingIntent;
use crate::ledger::{Posting, PostingKind};
use crate::orders::Order;
use sluice_contract::ids::new_order_id;
use sluice_contract::order::{OrderKind, OrderState};

/// Makes the posting of money that comes in.
pub(super) fn incoming_posting(request: &IdempotentRequest) -> Option<Posting> {
    match &request.booking {
        BookingRequest::Withdraw(_) => None,
        BookingRequest::Deposit(d) => Some(Posting::deposit(
            &request.client,
            &d.account_id,
            &d.biz_no,
            d.amount,
            d.currency,
        )),
        BookingRequest::Capture(c) => Some(Posting::capture(
            &c.account_id,
            &c.payment_no,
            c.amount,
            c.currency,
        )),
    }
}

/// Makes the order, if the request is for one, and its booking to be made.
pub(super) fn new_intent(
    request: &IdempotentRequest,
    now_us: i64,
) -> (Option<Order>, BookingIntent) {
    let order = match &request.booking {
        BookingRequest::Withdraw(w) => Some(new_order(request, w, OrderState::Booking, now_us)),
        BookingRequest::Deposit(_) | BookingRequest::Capture(_) => None,
    };
    let posting = order
        .as_ref()
        .map(|o| Posting::of_order(o, PostingKind::Reserve))
        .or(incoming_posting(request));
    let Some(posting) = posting else {
        unreachable!("every request books something")
    };
    let intent = BookingIntent {
        order_id: order
            .as_ref()
            .map_or_else(|| new_order_id(&posting.account_id), |o| o.order_id.clone()),
        kind: order.as_ref().map_or(OrderKind::CashOut, |o| o.kind),
        payment_no: request
            .booking
            .payment()
            .map(|(_, payment)| payment.to_owned()),
        counterparty: request.booking.counterparty().map(str::to_owned),
        unknown_payer_ok: matches!(&request.booking, BookingRequest::Withdraw(w) if w.unknown_payer_ok),
        client: request.client.clone(),
        key: request.stored_key(),
        created_us: now_us,
        correlation_id: Some(request.origin.correlation.as_str().to_owned()),
        traceparent: request.origin.stored_parent(),
        posting,
    };
    (order, intent)
}
