//! The idempotency key of a request: one, however many headers name it and however a UUID
//! is spelt.

use crate::http::error::ApiError;
use axum::http::HeaderMap;
use sluice_contract::ids::{MAX_KEY_BYTES, is_plain};
use sluice_contract::wire::ApiCode;
use uuid::Uuid;

/// Names of the header.
const KEY_HEADERS: [&str; 2] = ["idempotent-key", "idempotency-key"];

/// Reads the idempotency key from its headers.
///
/// # Errors
/// None at all, two that differ (a gateway added one of its own), or one that can't be a key.
pub(super) fn header_key(headers: &HeaderMap) -> Result<String, ApiError> {
    let values = KEY_HEADERS
        .iter()
        .flat_map(|name| headers.get_all(*name).iter());
    let mut key: Option<String> = None;
    for value in values {
        let read = canonical_key(value.to_str().unwrap_or_default()).ok_or_else(|| {
            let msg = format!(
                "idempotent-key: a UUID, or 1 to {MAX_KEY_BYTES} letters, digits and _ - . :"
            );
            ApiError::new(ApiCode::BadKey, &msg)
        })?;
        if key.as_ref().is_some_and(|first| *first != read) {
            return Err(ApiError::new(
                ApiCode::BadKey,
                "idempotent-key: the request has two keys that differ; send one, and let no gateway add another",
            ));
        }
        key = Some(read);
    }
    key.ok_or_else(|| {
        ApiError::new(
            ApiCode::MissingKey,
            "idempotent-key: the header is missing (a UUIDv7 is recommended)",
        )
    })
}

/// Spells a key in the one way: a UUID in small letters with dashes, whether it came in
/// capitals, in braces, as a URN or without dashes.
pub(super) fn canonical_key(text: &str) -> Option<String> {
    if let Ok(uuid) = Uuid::try_parse(text) {
        return Some(uuid.hyphenated().to_string());
    }
    is_plain(text, MAX_KEY_BYTES).then(|| text.to_owned())
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
