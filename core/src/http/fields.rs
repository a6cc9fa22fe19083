//! Fields of requests: read strictly, with the field's name in each refusal.

use crate::http::error::ApiError;
use crate::http::state::CoreApi;
use crate::orders::names::{GENERATED_TRANSACTION_PREFIX, is_generated};
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use sluice_contract::ids::{MAX_ID_BYTES, MAX_KEY_BYTES, is_plain};
use sluice_contract::money::{AmountError, Currency, parse_amount};
use sluice_contract::wire::ApiCode;

/// An amount as the body has it: its own text, so that nothing is rounded, and nothing that
/// a parser would take for a number is one.
pub(super) type RequestAmount = Box<RawValue>;

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
    amount: Option<RequestAmount>,
    currency: Option<String>,
) -> Result<(Decimal, Currency), ApiError> {
    let currency = match currency {
        Some(code) => code.parse().map_err(|e: AmountError| {
            ApiError::new(ApiCode::UnknownCurrency, &format!("currency: {e}"))
        })?,
        None => api.default_currency,
    };
    let Some(amount) = amount else {
        return Err(ApiError::new(ApiCode::BadAmount, "amount: is missing"));
    };
    let text = amount_text(amount.get())
        .ok_or_else(|| ApiError::new(ApiCode::BadAmount, "amount: must be a string or a number"))?;
    let amount = parse_amount(&text, currency)
        .map_err(|e| ApiError::new(ApiCode::BadAmount, &format!("amount: {e}")))?;
    Ok((amount, currency))
}

/// The text of a JSON string or of a JSON number, and of nothing else.
fn amount_text(json: &str) -> Option<String> {
    match json.bytes().next() {
        Some(b'"') => serde_json::from_str(json).ok(),
        Some(b'-' | b'0'..=b'9') => Some(json.to_owned()),
        Some(_) | None => None,
    }
}

/// Reads the transaction id, if the request names one: not one that the core made.
pub(super) fn transaction_id(value: Option<String>) -> Result<Option<String>, ApiError> {
    let named = plain("transactionId", value, MAX_KEY_BYTES)?;
    if named.as_deref().is_some_and(is_generated) {
        return Err(ApiError::new(
            ApiCode::BadField,
            &format!(
                "transactionId: {GENERATED_TRANSACTION_PREFIX}… is the core's own; choose another"
            ),
        ));
    }
    Ok(named)
}

/// Reads the failed order that the request tries again: under its own business number.
pub(super) fn predecessor(
    value: Option<String>,
    biz_no: Option<&str>,
) -> Result<Option<String>, ApiError> {
    let named = plain("predecessorId", value, MAX_ID_BYTES)?;
    if named.is_some() && biz_no.is_none() {
        return Err(ApiError::new(
            ApiCode::BadField,
            "predecessorId: a new try has the bizNo of the failed order",
        ));
    }
    Ok(named)
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

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
