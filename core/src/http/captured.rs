//! `POST /settlement` and `POST /refund`: orders that take from what payers have
//! paid to a merchant. Both are keyed by the header, as `/withdraw` is.

use crate::accept::WithdrawalBooking;
use crate::access::Caller;
use crate::http::booking::order_by_key;
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
use std::time::Instant;

/// Body of a settlement: intermediate account → available money of the same merchant.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SettlementBody {
    account_id: Option<String>,
    /// If given, this payment bounds the settlement too.
    payment_no: Option<String>,
    amount: Option<RequestAmount>,
    currency: Option<String>,
    transaction_id: Option<String>,
    biz_no: Option<String>,
    /// The failed order of this `bizNo` that is tried again.
    predecessor_id: Option<String>,
}

/// Body of a refund: intermediate account → payer, through a channel.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RefundBody {
    account_id: Option<String>,
    payment_no: Option<String>,
    /// The payer's account.
    to_account_id: Option<String>,
    bank_code: Option<String>,
    amount: Option<RequestAmount>,
    currency: Option<String>,
    user_id: Option<String>,
    transaction_id: Option<String>,
    biz_no: Option<String>,
    /// The failed order of this `bizNo` that is tried again.
    predecessor_id: Option<String>,
    channel: Option<String>,
}

/// `POST /settlement`.
pub async fn settlement(
    State(api): CoreApiState,
    caller: Caller,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let begun = Instant::now();
    let key = header_key(&headers)?;
    let ask = check_settlement(&api, &caller, parse(&api.body(request).await?)?)?;
    order_by_key(&api, &caller, key, ask, begun).await
}

/// `POST /refund`.
pub async fn refund(
    State(api): CoreApiState,
    caller: Caller,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let begun = Instant::now();
    let key = header_key(&headers)?;
    let ask = check_refund(&api, &caller, parse(&api.body(request).await?)?)?;
    order_by_key(&api, &caller, key, ask, begun).await
}

fn check_settlement(
    api: &CoreApi,
    caller: &Caller,
    body: SettlementBody,
) -> Result<WithdrawalBooking, ApiError> {
    let (amount, currency) = money(api, body.amount, body.currency)?;
    let account_id = caller.moving_account("accountId", body.account_id)?;
    Ok(WithdrawalBooking {
        // The money stays with the merchant.
        to_account: account_id.clone(),
        account_id,
        kind: OrderKind::Settlement,
        amount,
        currency,
        user_id: None,
        transaction_id: transaction_id(body.transaction_id)?.unwrap_or_default(),
        predecessor_id: predecessor(body.predecessor_id, body.biz_no.as_deref())?,
        unknown_payer_ok: false,
        biz_no: plain("bizNo", body.biz_no, MAX_KEY_BYTES)?,
        channel: None,
        bank: None,
        payment_no: plain("paymentNo", body.payment_no, MAX_KEY_BYTES)?,
    })
}

fn check_refund(
    api: &CoreApi,
    caller: &Caller,
    body: RefundBody,
) -> Result<WithdrawalBooking, ApiError> {
    let (amount, currency) = money(api, body.amount, body.currency)?;
    Ok(WithdrawalBooking {
        account_id: caller.moving_account("accountId", body.account_id)?,
        kind: OrderKind::Refund,
        to_account: required("toAccountId", body.to_account_id, MAX_KEY_BYTES)?,
        amount,
        currency,
        user_id: caller.moving_user("userId", plain("userId", body.user_id, MAX_ID_BYTES)?)?,
        transaction_id: transaction_id(body.transaction_id)?.unwrap_or_default(),
        predecessor_id: predecessor(body.predecessor_id, body.biz_no.as_deref())?,
        unknown_payer_ok: api.refund_unknown_payer,
        biz_no: plain("bizNo", body.biz_no, MAX_KEY_BYTES)?,
        channel: channel(api, body.channel)?,
        bank: plain("bankCode", body.bank_code, 16)?,
        payment_no: Some(required("paymentNo", body.payment_no, MAX_KEY_BYTES)?),
    })
}
