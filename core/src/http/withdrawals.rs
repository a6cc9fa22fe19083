//! Requests that book money: parsed strictly, hashed, and handed to the acceptor.

use crate::accept::{
    AcceptedRequest, BookingRequest, DepositBooking, IdempotentRequest, WithdrawalBooking,
};
use crate::http::{ApiError, CoreApi, CoreApiState, success};
use crate::metrics::METRICS;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sluice_contract::ids::{MAX_ID_BYTES, MAX_KEY_BYTES, is_plain};
use sluice_contract::money::{AmountError, Currency, parse_amount};
use sluice_contract::order::OrderKind;
use sluice_contract::wire::ApiCode;
use std::time::Instant;

/// `POST /withdraw` (keyed by header) and `POST /withdraw/submit` (keyed by
/// `transactionId`). Amounts are JSON strings or numbers; their text is kept.
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

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DepositBody {
    account_id: Option<String>,
    amount: Option<Value>,
    currency: Option<String>,
    biz_no: Option<String>,
}

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
        booking: BookingRequest::Withdraw(ask),
    };
    book(api, keyed, begun).await
}

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
        booking: BookingRequest::Withdraw(ask),
    };
    book(&api, keyed, begun).await
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
        booking: BookingRequest::Deposit(deposit),
    };
    book(&api, keyed, begun).await
}

async fn book(
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

/// What an order's id is called in answers.
pub(super) fn order_id_name(kind: OrderKind) -> &'static str {
    match kind {
        OrderKind::CashOut => "withdrawOrderId",
        OrderKind::Settlement => "settlementOrderId",
        OrderKind::Refund => "refundOrderId",
    }
}

pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|e| {
        let code = if e.is_data() {
            ApiCode::BadField
        } else {
            ApiCode::BadJson
        };
        ApiError::new(code, &format!("body: {e}"))
    })
}

pub(super) fn header_key(headers: &HeaderMap) -> Result<String, ApiError> {
    let value = headers
        .get("idempotent-key")
        .or_else(|| headers.get("idempotency-key"));
    let Some(value) = value else {
        return Err(ApiError::new(
            ApiCode::MissingKey,
            "idempotent-key: the header is missing (a UUIDv7 is recommended)",
        ));
    };
    let key = value.to_str().unwrap_or_default();
    if !is_plain(key, MAX_KEY_BYTES) {
        let msg = format!("idempotent-key: 1 to {MAX_KEY_BYTES} letters, digits and _ - . :");
        return Err(ApiError::new(ApiCode::BadKey, &msg));
    }
    Ok(key.to_owned())
}

pub(super) fn plain(
    field: &str,
    value: Option<String>,
    longest: usize,
) -> Result<Option<String>, ApiError> {
    match value {
        Some(v) if !is_plain(&v, longest) => Err(ApiError::new(
            ApiCode::BadField,
            &format!("{field}: 1 to {longest} letters, digits and _ - . :"),
        )),
        other => Ok(other),
    }
}

pub(super) fn required(
    field: &str,
    value: Option<String>,
    longest: usize,
) -> Result<String, ApiError> {
    plain(field, value, longest)?
        .ok_or_else(|| ApiError::new(ApiCode::BadField, &format!("{field}: is missing")))
}

pub(super) fn money(
    api: &CoreApi,
    amount: Option<Value>,
    currency: Option<String>,
) -> Result<(Decimal, Currency), ApiError> {
    let currency = match currency {
        Some(code) => code.parse().map_err(|e: AmountError| {
            ApiError::new(ApiCode::UnknownCurrency, &format!("currency: {e}"))
        })?,
        None => api.default_currency,
    };
    let text = match amount {
        Some(Value::String(text)) => text,
        // With arbitrary precision the number is still the sender's own text.
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => {
            return Err(ApiError::new(
                ApiCode::BadAmount,
                "amount: must be a string or a number",
            ));
        }
        None => return Err(ApiError::new(ApiCode::BadAmount, "amount: is missing")),
    };
    let amount = parse_amount(&text, currency)
        .map_err(|e| ApiError::new(ApiCode::BadAmount, &format!("amount: {e}")))?;
    Ok((amount, currency))
}

/// The gateway in front may name the account that it authenticated.
pub(super) fn gateway_account(headers: &HeaderMap) -> Option<String> {
    headers
        .get("x-account-id")
        .and_then(|v| v.to_str().ok())
        .map(str::to_owned)
}

/// A channel that the request wishes for must be configured.
pub(super) fn channel(api: &CoreApi, wished: Option<String>) -> Result<Option<String>, ApiError> {
    let channel = plain("channel", wished, 16)?;
    if let Some(id) = channel
        .as_deref()
        .filter(|id| !api.channels.iter().any(|c| c.id() == *id))
    {
        return Err(ApiError::new(
            ApiCode::BadField,
            &format!("channel: {id} is not configured"),
        ));
    }
    Ok(channel)
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

/// Same fields, same hash, however the JSON was written.
fn hash(ask: &WithdrawalBooking, transaction_id: &str) -> String {
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
