//! Deposits: payments that an upstream received for an account.

use crate::accept::{BookingRequest, DepositBooking, IdempotentRequest};
use crate::access::Caller;
use crate::config::FORMER_DEPOSIT_CLIENT;
use crate::http::booking::{book, booked};
use crate::http::error::ApiError;
use crate::http::fields::{RequestAmount, money, parse, required};
use crate::http::state::{CoreApi, CoreApiState};
use crate::orders::repo;
use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use sluice_contract::ids::MAX_KEY_BYTES;
use sluice_contract::traces::RequestOrigin;
use std::time::Instant;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DepositBody {
    account_id: Option<String>,
    amount: Option<RequestAmount>,
    currency: Option<String>,
    biz_no: Option<String>,
}

/// `POST /deposit`: books a payment once per client and `bizNo`.
pub async fn deposit(
    State(api): CoreApiState,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let begun = Instant::now();
    let body: DepositBody = parse(&api.body(request).await?)?;
    let (amount, currency) = money(&api, body.amount, body.currency)?;
    let deposit = DepositBooking {
        account_id: caller.moving_account("accountId", body.account_id)?,
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
    let request_hash = hex::encode(digest);
    if let Some(booking_id) = former_booking(&api, &deposit.biz_no, &request_hash).await? {
        return Ok(booked("bookingId", &booking_id, true));
    }
    let keyed = IdempotentRequest {
        client: caller.client().to_owned(),
        scope: caller.scope(),
        // A slash is in no key that a header or a transaction id makes.
        key: format!("dep/{}", deposit.biz_no),
        request_hash,
        origin: RequestOrigin::current(),
        repeat_only: false,
        booking: BookingRequest::Deposit(deposit),
    };
    book(&api, &caller, keyed, begun).await
}

/// Finds a booking of this deposit from before each client had a number range of its own.
/// Then all had one: whoever repeats such a deposit repeats that booking.
async fn former_booking(
    api: &CoreApi,
    biz_no: &str,
    request_hash: &str,
) -> Result<Option<String>, ApiError> {
    let id = (FORMER_DEPOSIT_CLIENT, biz_no);
    let found = async {
        let mut conn = api.pool.get_conn().await?;
        repo::find_keys(&mut conn, &[id]).await
    };
    let found = found.await.map_err(|e| ApiError::internal(&e))?;
    let same = found.into_values().find(|k| k.request_hash == request_hash);
    Ok(same.map(|key| key.order_id))
}
