//! Withdrawals: `POST /withdraw` (keyed by header) and `POST /withdraw/submit` (keyed by
//! `transactionId`).

use crate::accept::{BookingRequest, IdempotentRequest, WithdrawalBooking};
use crate::access::Caller;
use crate::http::booking::{book, hash, order_by_key};
use crate::http::error::ApiError;
use crate::http::fields::{
    RequestAmount, channel, money, parse, plain, predecessor, required, transaction_id,
};
use crate::http::keys::header_key;
use crate::http::state::{CoreApi, CoreApiState};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use sluice_contract::ids::{MAX_ID_BYTES, MAX_KEY_BYTES};
use sluice_contract::order::OrderKind;
use sluice_contract::traces::RequestOrigin;
use sluice_contract::wire::ApiCode;
use std::time::Instant;

/// Body of both. Amounts are JSON strings or numbers; their text is kept.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WithdrawBody {
    from_account_id: Option<String>,
    to_account_id: Option<String>,
    amount: Option<RequestAmount>,
    currency: Option<String>,
    user_id: Option<String>,
    transaction_id: Option<String>,
    /// The upstream's own number of the withdrawal, matched with its events.
    biz_no: Option<String>,
    /// The failed order of this `bizNo` that is tried again.
    predecessor_id: Option<String>,
    channel: Option<String>,
    /// The payee's bank, for routing.
    bank_code: Option<String>,
}

/// `POST /withdraw`.
pub async fn withdraw(
    State(api): CoreApiState,
    caller: Caller,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let begun = Instant::now();
    let key = header_key(&headers)?;
    let body: WithdrawBody = parse(&api.body(request).await?)?;
    let ask = check_withdraw(&api, &caller, body)?;
    order_by_key(&api, &caller, key, ask, begun).await
}

/// `POST /withdraw/submit`.
pub async fn submit(
    State(api): CoreApiState,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let begun = Instant::now();
    let body: WithdrawBody = parse(&api.body(request).await?)?;
    let ask = check_withdraw(&api, &caller, body)?;
    if ask.transaction_id.is_empty() {
        return Err(ApiError::new(
            ApiCode::MissingKey,
            "transactionId: is missing; it is the key of this request",
        ));
    }
    let keyed = IdempotentRequest {
        client: caller.client().to_owned(),
        scope: caller.scope(),
        key: format!("tx:{}", ask.transaction_id),
        request_hash: hash(&ask),
        repeat_only: false,
        origin: RequestOrigin::current(),
        booking: BookingRequest::Withdraw(ask),
    };
    book(&api, &caller, keyed, begun).await
}

fn check_withdraw(
    api: &CoreApi,
    caller: &Caller,
    body: WithdrawBody,
) -> Result<WithdrawalBooking, ApiError> {
    let (amount, currency) = money(api, body.amount, body.currency)?;
    let channel = channel(api, body.channel)?;
    Ok(WithdrawalBooking {
        account_id: caller.moving_account("fromAccountId", body.from_account_id)?,
        kind: OrderKind::CashOut,
        to_account: required("toAccountId", body.to_account_id, MAX_KEY_BYTES)?,
        amount,
        currency,
        user_id: caller.moving_user("userId", plain("userId", body.user_id, MAX_ID_BYTES)?)?,
        transaction_id: transaction_id(body.transaction_id)?.unwrap_or_default(),
        predecessor_id: predecessor(body.predecessor_id, body.biz_no.as_deref())?,
        unknown_payer_ok: false,
        biz_no: plain("bizNo", body.biz_no, MAX_KEY_BYTES)?,
        channel,
        bank: plain("bankCode", body.bank_code, 16)?,
        payment_no: None,
    })
}
