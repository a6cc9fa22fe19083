//! Requests that can't be booked, refused before anything is written. With split books a
//! refusal leaves an order, its transition and a booking's result behind, on two
//! servers; a client that asks again and again for what isn't there would fill them. An
//! account that was refused lately is therefore looked at first.

use crate::accept::{BookingRequest, IdempotentRequest, WithdrawalBooking};
use crate::balance::{self, Balance};
use crate::saga::BookingSaga;
use sluice_contract::order::OrderKind;
use std::collections::{BTreeSet, HashSet};

/// The request's withdrawal, if its account was refused one lately.
fn doubtful<'a>(
    saga: &BookingSaga,
    request: &'a IdempotentRequest,
) -> Option<&'a WithdrawalBooking> {
    match &request.booking {
        BookingRequest::Withdraw(booking)
            if booking.kind == OrderKind::CashOut && saga.refusals.has(&booking.account_id) =>
        {
            Some(booking)
        }
        _ => None,
    }
}

/// Tells whether a request's account was refused lately: then the keys are to be looked up,
/// so that a repeat is known before it is refused.
pub(super) fn any_doubtful(saga: &BookingSaga, requests: &[&IdempotentRequest]) -> bool {
    requests.iter().any(|r| doubtful(saga, r).is_some())
}

/// Finds the orders to be that their accounts can't pay now, as of a read without locks:
/// the answer is true of that moment, and nothing was promised. By client and stored key.
///
/// # Errors
/// The balance server's.
pub(super) async fn hopeless(
    saga: &BookingSaga,
    requests: &[&IdempotentRequest],
) -> anyhow::Result<HashSet<(String, String)>> {
    let asked: Vec<(&IdempotentRequest, &WithdrawalBooking)> = requests
        .iter()
        .filter_map(|r| Some((*r, doubtful(saga, r)?)))
        .collect();
    let accounts: BTreeSet<&str> = asked.iter().map(|(_, b)| b.account_id.as_str()).collect();
    if accounts.is_empty() {
        return Ok(HashSet::new());
    }
    let mut conn = saga.balance().get_conn().await?;
    let balances = balance::repo::of_accounts(&mut conn, saga.schemas(), accounts).await?;
    let lacks = |booking: &WithdrawalBooking| {
        let is_its =
            |b: &&Balance| b.account_id == booking.account_id && b.currency == booking.currency;
        let balance = balances.iter().find(is_its);
        balance.is_some_and(|b| b.available < booking.amount)
    };
    Ok(asked
        .into_iter()
        .filter(|(_, booking)| lacks(booking))
        .map(|(request, _)| (request.client.clone(), request.stored_key()))
        .collect())
}
