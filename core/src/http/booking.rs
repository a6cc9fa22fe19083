//! Booking of a request: hashed, handed to the acceptor, and answered.

use crate::accept::{AcceptedRequest, BookingRequest, IdempotentRequest, WithdrawalBooking};
use crate::http::answer::success;
use crate::http::error::ApiError;
use crate::http::state::CoreApi;
use crate::metrics::METRICS;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use sha2::{Digest, Sha256};
use sluice_contract::order::OrderKind;
use sluice_contract::traces::RequestOrigin;
use std::time::Instant;

/// Books an order under the header's key.
pub(super) async fn order_by_key(
    api: &CoreApi,
    client: &str,
    key: String,
    mut ask: WithdrawalBooking,
    begun: Instant,
) -> Result<Response, ApiError> {
    // A repeat is the same request whatever transaction id this one would get.
    let request_hash = hash(&ask, "");
    if ask.transaction_id.is_empty() {
        ask.transaction_id = uuid::Uuid::now_v7().simple().to_string();
    }
    let keyed = IdempotentRequest {
        client: client.to_owned(),
        key,
        request_hash,
        origin: RequestOrigin::current(),
        booking: BookingRequest::Withdraw(ask),
    };
    book(api, keyed, begun).await
}

/// Books the request once; a repeat gets the first answer.
pub(super) async fn book(
    api: &CoreApi,
    keyed: IdempotentRequest,
    begun: Instant,
) -> Result<Response, ApiError> {
    let (id_name, account) = match &keyed.booking {
        BookingRequest::Withdraw(w) if w.kind == OrderKind::CashOut => {
            (order_id_name(w.kind), "fromAccountId")
        }
        BookingRequest::Withdraw(w) => (order_id_name(w.kind), "accountId"),
        BookingRequest::Deposit(_) | BookingRequest::Capture(_) => ("bookingId", "accountId"),
    };
    let booked = api.acceptor.submit(keyed).await;
    let AcceptedRequest { order_id, replayed } =
        booked.map_err(|refusal| ApiError::refused(&refusal, account))?;
    METRICS.accept.observe(begun.elapsed().as_secs_f64());
    let mut answer = success(
        StatusCode::ACCEPTED,
        "processing",
        serde_json::json!({ id_name: order_id }),
    );
    if replayed {
        answer
            .headers_mut()
            .insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    Ok(answer)
}

/// Name of an order's id in answers.
pub(super) fn order_id_name(kind: OrderKind) -> &'static str {
    match kind {
        OrderKind::CashOut => "withdrawOrderId",
        OrderKind::Settlement => "settlementOrderId",
        OrderKind::Refund => "refundOrderId",
    }
}

/// Hashes a request: same fields, same hash, however the JSON was written.
pub(super) fn hash(ask: &WithdrawalBooking, transaction_id: &str) -> String {
    let amount = ask.amount.normalize().to_string();
    let text = |o: &Option<String>| o.clone().unwrap_or_default();
    let fields = [
        ask.account_id.clone(),
        ask.to_account.clone(),
        amount,
        ask.currency.code().to_owned(),
        text(&ask.user_id),
        transaction_id.to_owned(),
        text(&ask.biz_no),
        text(&ask.channel),
        text(&ask.bank),
        text(&ask.payment_no),
        ask.kind.as_str().to_owned(),
    ];
    // No field can hold a line end: they are plain.
    hex::encode(Sha256::digest(fields.join("\n")))
}
