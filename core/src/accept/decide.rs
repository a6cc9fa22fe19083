//! Decides a batch in memory: locked balances and requests in, a result for each
//! and everything to write out. Pure; nothing is written until all is decided.

use crate::accept::known::compare;
use crate::accept::{
    AcceptResult, AcceptedRequest, BookingRequest, CaptureBooking, DepositBooking,
    IdempotentRequest, WithdrawalBooking,
};
use crate::balance::{Balance, CapturedPayment, LockedBooks};
use crate::ledger::events::incoming_event;
use crate::ledger::{Posting, PostingKind};
use crate::orders::events::accepted_event;
use crate::orders::names::RequestName;
use crate::orders::repo::IdempotencyRow;
use crate::orders::{FIRST_POLL_DELAY_US, Order};
use sluice_contract::event::OrderEvent;
use sluice_contract::ids::new_order_id;
use sluice_contract::order::OrderState;
use std::collections::HashMap;

/// Writes of a batch, and each request's result in the batch's order.
#[derive(Debug, Default)]
pub struct DecidedBatch {
    pub results: Vec<AcceptResult>,
    pub keys: Vec<IdempotencyRow>,
    pub orders: Vec<Order>,
    pub touched: Vec<Balance>,
    pub captures: Vec<CapturedPayment>,
    pub postings: Vec<Posting>,
    pub events: Vec<OrderEvent>,
}

/// Decides all requests against the locked balances, in order of arrival.
pub fn decide(
    batch: &[&IdempotentRequest],
    locked: Vec<Balance>,
    captures: Vec<CapturedPayment>,
    now_us: i64,
) -> DecidedBatch {
    let mut books = LockedBooks::new(locked, captures);
    let mut out = DecidedBatch::default();
    let mut made = MadeOrders::default();
    for request in batch {
        let names = request.names();
        let result = match &request.booking {
            BookingRequest::Withdraw(w) => match made.find(request, &names) {
                Some((name, at)) => compare(&out.orders[at], w, name),
                None => withdraw(&mut books, &mut out, request, w, now_us),
            },
            BookingRequest::Deposit(d) => deposit(&mut books, &mut out, request, d, now_us),
            BookingRequest::Capture(c) => capture(&mut books, &mut out, c, now_us),
        };
        if let Ok(accepted) = result.as_ref()
            && !accepted.replayed
        {
            if let BookingRequest::Withdraw(_) = &request.booking {
                made.note(request, &names, out.orders.len() - 1);
            }
            out.keys
                .extend(key_rows(request, names, &accepted.order_id));
        }
        out.results.push(result);
    }
    (out.touched, out.captures) = books.touched();
    out
}

/// Orders of this batch by client and name: two requests that arrive together may go by one
/// name under different keys.
#[derive(Default)]
struct MadeOrders<'a>(HashMap<(&'a str, String), usize>);

impl<'a> MadeOrders<'a> {
    fn find(
        &self,
        request: &'a IdempotentRequest,
        names: &[(RequestName, String)],
    ) -> Option<(RequestName, usize)> {
        names.iter().find_map(|(name, text)| {
            let at = self.0.get(&(request.client.as_str(), text.clone()))?;
            Some((*name, *at))
        })
    }

    fn note(&mut self, request: &'a IdempotentRequest, names: &[(RequestName, String)], at: usize) {
        let of = |(_, text): &(RequestName, String)| ((request.client.as_str(), text.clone()), at);
        self.0.extend(names.iter().map(of));
    }
}

/// Makes the rows of a request's names.
pub(super) fn key_rows(
    request: &IdempotentRequest,
    names: Vec<(RequestName, String)>,
    order_id: &str,
) -> impl Iterator<Item = IdempotencyRow> {
    names.into_iter().map(move |(_, key)| IdempotencyRow {
        client: request.client.clone(),
        key,
        request_hash: request.request_hash.clone(),
        account_id: request.booking.account_id().to_owned(),
        order_id: order_id.to_owned(),
    })
}

fn withdraw(
    books: &mut LockedBooks,
    out: &mut DecidedBatch,
    request: &IdempotentRequest,
    booking: &WithdrawalBooking,
    now_us: i64,
) -> AcceptResult {
    books
        .book(PostingKind::Reserve, &booking.sum())
        .map_err(|e| request.booking.refusal(e))?;
    let order = new_order(request, booking, OrderState::Init, now_us);
    out.postings
        .push(Posting::of_order(&order, PostingKind::Reserve));
    out.events.push(accepted_event(&order, now_us));
    let order_id = order.order_id.clone();
    out.orders.push(order);
    Ok(AcceptedRequest {
        order_id,
        replayed: false,
    })
}

/// Makes the order that a request becomes.
pub fn new_order(
    request: &IdempotentRequest,
    booking: &WithdrawalBooking,
    state: OrderState,
    now_us: i64,
) -> Order {
    let order_id = new_order_id(&booking.account_id);
    Order {
        client: request.client.clone(),
        transaction_id: booking.transaction_id.clone(),
        biz_no: booking.biz_no.clone(),
        user_id: booking.user_id.clone(),
        to_account: booking.to_account.clone(),
        bank: booking.bank.clone(),
        payment_no: booking.payment_no.clone(),
        state,
        channel: booking.channel.clone(),
        notified_us: now_us,
        due_us: Some(now_us + FIRST_POLL_DELAY_US),
        created_us: now_us,
        updated_us: now_us,
        identity: Some(request.identity()),
        key_scope: (!request.scope.is_empty()).then(|| request.scope.clone()),
        predecessor_id: booking.predecessor_id.clone(),
        ..Order::blank(
            &booking.account_id,
            &order_id,
            booking.kind,
            booking.amount,
            booking.currency,
        )
    }
}

fn deposit(
    books: &mut LockedBooks,
    out: &mut DecidedBatch,
    request: &IdempotentRequest,
    booking: &DepositBooking,
    now_us: i64,
) -> AcceptResult {
    books.book(PostingKind::Deposit, &booking.sum())?;
    let posting = Posting::deposit(
        &request.client,
        &booking.account_id,
        &booking.biz_no,
        booking.amount,
        booking.currency,
    );
    Ok(booked(out, posting, now_us))
}

fn capture(
    books: &mut LockedBooks,
    out: &mut DecidedBatch,
    booking: &CaptureBooking,
    now_us: i64,
) -> AcceptResult {
    books.book(PostingKind::Capture, &booking.sum())?;
    books.set_event_time(
        &booking.account_id,
        &booking.payment_no,
        booking.event_time_us,
    );
    let posting = Posting::capture(
        &booking.account_id,
        &booking.payment_no,
        booking.amount,
        booking.currency,
    );
    Ok(booked(out, posting, now_us))
}

/// Books money that came in: its posting, and the event that tells of it.
fn booked(out: &mut DecidedBatch, posting: Posting, now_us: i64) -> AcceptedRequest {
    let booking_id = new_order_id(&posting.account_id);
    out.events
        .push(incoming_event(&posting, &booking_id, now_us));
    out.postings.push(posting);
    AcceptedRequest {
        order_id: booking_id,
        replayed: false,
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
