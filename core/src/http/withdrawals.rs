//! Withdrawals: `POST /withdraw` (keyed by header) and `POST /withdraw/submit` (keyed by
//! `transactionId`).

use crate::accept::{BookingRequest, IdempotentRequest, WithdrawalBooking};
use crate::http::booking::{book, hash, order_by_key};
use crate::http::error::ApiError;
use crate::http::fields::{channel, gateway_account, header_key, money, parse, plain, required};
use crate::http::state::{CoreApi, CoreApiState};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use sluice_contract::ids::{MAX_ID_BYTES, MAX_KEY_BYTES};
use sluice_contract::order::OrderKind;
use sluice_contract::traces::RequestOrigin;
use sluice_contract::wire::ApiCode;
use std::time::Instant;

/// Body of both. Amounts are JSON strings or numbers; their text is kept.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WithdrawBody {
    from_account_id: Option<String>,
    to_account_id: Option<String>,
    amount: Option<Value>,
    currency: Option<String>,
    user_id: Option<String>,
    transaction_id: Option<String>,
    /// The upstream's own number of the withdrawal, matched with its events.
    biz_no: Option<String>,
    channel: Option<String>,
    /// The payee's bank, for routing.
    bank_code: Option<String>,
}

/// `POST /withdraw`.
pub async fn withdraw(
    State(api): CoreApiState,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let begun = Instant::now();
    let client = api.client(&headers)?;
    let key = header_key(&headers)?;
    let body: WithdrawBody = parse(&api.body(request).await?)?;
    let ask = check_withdraw(&api, &headers, body)?;
    order_by_key(&api, client, key, ask, begun).await
}

/// `POST /withdraw/submit`.
pub async fn submit(
    State(api): CoreApiState,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let begun = Instant::now();
    let client = api.client(&headers)?;
    let body: WithdrawBody = parse(&api.body(request).await?)?;
    let ask = check_withdraw(&api, &headers, body)?;
    if ask.transaction_id.is_empty() {
        return Err(ApiError::new(
            ApiCode::MissingKey,
            "transactionId: is missing; it is the key of this request",
        ));
    }
    let (key, request_hash) = (
        format!("tx:{}", ask.transaction_id),
        hash(&ask, &ask.transaction_id),
    );
    let keyed = IdempotentRequest {
        client: client.to_owned(),
        key,
        request_hash,
        origin: RequestOrigin::current(),
        booking: BookingRequest::Withdraw(ask),
    };
    book(&api, keyed, begun).await
}

fn check_withdraw(
    api: &CoreApi,
    headers: &HeaderMap,
    body: WithdrawBody,
) -> Result<WithdrawalBooking, ApiError> {
    let (amount, currency) = money(api, body.amount, body.currency)?;
    let channel = channel(api, body.channel)?;
    Ok(WithdrawalBooking {
        account_id: required(
            "fromAccountId",
            body.from_account_id.or_else(|| gateway_account(headers)),
            MAX_ID_BYTES,
        )?,
        kind: OrderKind::CashOut,
        to_account: required("toAccountId", body.to_account_id, MAX_KEY_BYTES)?,
        amount,
        currency,
        user_id: plain("userId", body.user_id, MAX_ID_BYTES)?,
        transaction_id: plain("transactionId", body.transaction_id, MAX_KEY_BYTES)?
            .unwrap_or_default(),
        biz_no: plain("bizNo", body.biz_no, MAX_KEY_BYTES)?,
        channel,
        bank: plain("bankCode", body.bank_code, 16)?,
        payment_no: None,
    })
}
