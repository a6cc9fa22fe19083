//! Refusals of callers.

use sluice_contract::wire::ApiCode;

/// Refusal of a caller: unknown, or not allowed to do this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct AccessRefusal {
    pub code: ApiCode,
    pub text: String,
}

impl AccessRefusal {
    /// Makes a refusal; `text` names the header or field.
    pub(super) fn new(code: ApiCode, text: impl Into<String>) -> Self {
        AccessRefusal {
            code,
            text: text.into(),
        }
    }

    /// Makes the refusal of somebody whose proof doesn't hold.
    pub(super) fn unknown(why: &str) -> Self {
        AccessRefusal::new(ApiCode::Unauthorized, format!("Authorization: {why}"))
    }

    /// Makes the refusal of a known client that may not do this.
    pub(super) fn not_granted(text: impl Into<String>) -> Self {
        AccessRefusal::new(ApiCode::NotGranted, text)
    }
}
