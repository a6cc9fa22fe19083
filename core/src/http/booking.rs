//! Booking of a request: hashed, handed to the acceptor, and answered.

use crate::accept::{
    AcceptError, AcceptedRequest, BookingRequest, IdempotentRequest, WithdrawalBooking,
};
use crate::access::{Caller, TakenAmount};
use crate::config::Grant;
use crate::http::answer::success;
use crate::http::error::ApiError;
use crate::http::state::CoreApi;
use crate::metrics::METRICS;
use crate::orders::names::GENERATED_TRANSACTION_PREFIX;
use crate::orders::repo;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use sha2::{Digest, Sha256};
use sluice_contract::order::OrderKind;
use sluice_contract::traces::RequestOrigin;
use std::time::Instant;

/// Books an order under the header's key.
pub(super) async fn order_by_key(
    api: &CoreApi,
    caller: &Caller,
    key: String,
    mut ask: WithdrawalBooking,
    begun: Instant,
) -> Result<Response, ApiError> {
    // A repeat is the same request whatever transaction id this one would get.
    let request_hash = hash(&ask);
    if ask.transaction_id.is_empty() {
        let id = uuid::Uuid::now_v7().simple();
        ask.transaction_id = format!("{GENERATED_TRANSACTION_PREFIX}{id}");
    }
    let keyed = IdempotentRequest {
        client: caller.client().to_owned(),
        scope: caller.scope(),
        key,
        request_hash,
        origin: RequestOrigin::current(),
        repeat_only: false,
        booking: BookingRequest::Withdraw(ask),
    };
    book(api, caller, keyed, begun).await
}

/// Books the request once, within the caller's bounds; a repeat gets the first answer.
pub(super) async fn book(
    api: &CoreApi,
    caller: &Caller,
    mut keyed: IdempotentRequest,
    begun: Instant,
) -> Result<Response, ApiError> {
    let (id_name, account) = match &keyed.booking {
        BookingRequest::Withdraw(w) if w.kind == OrderKind::CashOut => {
            (order_id_name(w.kind), "fromAccountId")
        }
        BookingRequest::Withdraw(w) => (order_id_name(w.kind), "accountId"),
        BookingRequest::Deposit(_) | BookingRequest::Capture(_) => ("bookingId", "accountId"),
    };
    let taken = take_amount(api, caller, &mut keyed).await?;
    let done = api.acceptor.submit(keyed).await;
    let is_new = match &done {
        Ok(accepted) => !accepted.replayed,
        // Nobody knows.
        Err(refusal) => *refusal == AcceptError::Unavailable,
    };
    if !is_new {
        api.access.give_back(taken);
    }
    let AcceptedRequest { order_id, replayed } =
        done.map_err(|refusal| ApiError::refused(&refusal, account))?;
    METRICS.accept.observe(begun.elapsed().as_secs_f64());
    Ok(booked(id_name, &order_id, replayed))
}

/// Takes the amount out of the caller's bounds. A repeat of what was booked is beyond none,
/// and is let in as a repeat only: a booking that is refused meanwhile frees its key.
async fn take_amount(
    api: &CoreApi,
    caller: &Caller,
    keyed: &mut IdempotentRequest,
) -> Result<Option<TakenAmount>, ApiError> {
    let (grant, amount, currency) = match &keyed.booking {
        BookingRequest::Withdraw(w) => {
            let grant = match w.kind {
                OrderKind::CashOut => Grant::Withdraw,
                OrderKind::Settlement => Grant::Settle,
                OrderKind::Refund => Grant::Refund,
            };
            (grant, w.amount, w.currency)
        }
        BookingRequest::Deposit(d) => (Grant::Deposit, d.amount, d.currency),
        BookingRequest::Capture(_) => return Ok(None),
    };
    let taken = api.access.take_amount(caller, grant, amount, currency);
    let refusal = match taken.await {
        Ok(taken) => return Ok(taken),
        Err(refusal) => refusal,
    };
    let find = async {
        let mut conn = api.pool.get_conn().await?;
        let names = keyed.names();
        let wanted = names
            .iter()
            .map(|(_, name)| (keyed.client.as_str(), name.as_str()));
        repo::find_keys(&mut conn, &wanted.collect::<Vec<_>>()).await
    };
    let known = find.await.map_err(|e| ApiError::internal(&e))?;
    if known.is_empty() {
        return Err(refusal.into());
    }
    keyed.repeat_only = true;
    Ok(None)
}

/// Answers with the order or booking that the request made, or a repeat of it before.
pub(super) fn booked(id_name: &str, id: &str, replayed: bool) -> Response {
    let data = serde_json::json!({ id_name: id });
    let mut answer = success(StatusCode::ACCEPTED, "processing", data);
    if replayed {
        answer
            .headers_mut()
            .insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    answer
}

/// Name of an order's id in answers.
pub(super) fn order_id_name(kind: OrderKind) -> &'static str {
    match kind {
        OrderKind::CashOut => "withdrawOrderId",
        OrderKind::Settlement => "settlementOrderId",
        OrderKind::Refund => "refundOrderId",
    }
}

/// Hashes a request before the core gives it a transaction id: same fields, same hash,
/// however the JSON was written and by whatever door it came.
pub(super) fn hash(ask: &WithdrawalBooking) -> String {
    let amount = ask.amount.normalize().to_string();
    let text = |o: &Option<String>| o.clone().unwrap_or_default();
    let mut fields = vec![
        ask.account_id.clone(),
        ask.to_account.clone(),
        amount,
        ask.currency.code().to_owned(),
        text(&ask.user_id),
        ask.transaction_id.clone(),
        text(&ask.biz_no),
        text(&ask.channel),
        text(&ask.bank),
        text(&ask.payment_no),
        ask.kind.as_str().to_owned(),
    ];
    fields.extend(ask.predecessor_id.clone());
    // No field can hold a line end: they are plain.
    hex::encode(Sha256::digest(fields.join("\n")))
}
