//! Fields of requests: read strictly, with the field's name in each refusal.

use crate::http::error::ApiError;
use crate::http::state::CoreApi;
use axum::http::HeaderMap;
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sluice_contract::ids::{MAX_KEY_BYTES, is_plain};
use sluice_contract::money::{AmountError, Currency, parse_amount};
use sluice_contract::wire::ApiCode;

/// Reads a body as JSON.
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

/// Reads the idempotency key from its header.
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

/// Reads a field that may be missing, of letters, digits and `_ - . :`.
pub(super) fn plain(
    field: &str,
    value: Option<String>,
    max_bytes: usize,
) -> Result<Option<String>, ApiError> {
    match value {
        Some(v) if !is_plain(&v, max_bytes) => Err(ApiError::new(
            ApiCode::BadField,
            &format!("{field}: 1 to {max_bytes} letters, digits and _ - . :"),
        )),
        other => Ok(other),
    }
}

/// Reads a field that must be there.
pub(super) fn required(
    field: &str,
    value: Option<String>,
    max_bytes: usize,
) -> Result<String, ApiError> {
    plain(field, value, max_bytes)?
        .ok_or_else(|| ApiError::new(ApiCode::BadField, &format!("{field}: is missing")))
}

/// Reads an amount in major units and its currency.
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

/// Reads the channel that the request wishes for: it must be configured.
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
