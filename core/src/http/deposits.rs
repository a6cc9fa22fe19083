//! Deposits: payments that an upstream received for an account.

use crate::accept::{BookingRequest, DepositBooking, IdempotentRequest};
use crate::http::booking::book;
use crate::http::error::ApiError;
use crate::http::fields::{money, parse, required};
use crate::http::state::CoreApiState;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sluice_contract::ids::{MAX_ID_BYTES, MAX_KEY_BYTES};
use sluice_contract::traces::RequestOrigin;
use std::time::Instant;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DepositBody {
    account_id: Option<String>,
    amount: Option<Value>,
    currency: Option<String>,
    biz_no: Option<String>,
}

/// `POST /deposit`: books a payment once per `bizNo`.
pub async fn deposit(
    State(api): CoreApiState,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let begun = Instant::now();
    api.client(&headers)?;
    let body: DepositBody = parse(&api.body(request).await?)?;
    let (amount, currency) = money(&api, body.amount, body.currency)?;
    let deposit = DepositBooking {
        account_id: required("accountId", body.account_id, MAX_ID_BYTES)?,
        amount,
        currency,
        biz_no: required("bizNo", body.biz_no, MAX_KEY_BYTES)?,
    };
    let digest = Sha256::digest(format!(
        "{}|{}|{}",
        deposit.account_id,
        deposit.amount.normalize(),
        deposit.currency
    ));
    let keyed = IdempotentRequest {
        // Unique over all callers: a payment is booked once, whoever reports it.
        client: "deposit".into(),
        key: deposit.biz_no.clone(),
        request_hash: hex::encode(digest),
        origin: RequestOrigin::current(),
        booking: BookingRequest::Deposit(deposit),
    };
    book(&api, keyed, begun).await
}
