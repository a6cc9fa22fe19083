//! Correlation ids: one word that all logs, rows and headers of a request share.

use crate::ids::{MAX_KEY_BYTES, is_plain};
use std::fmt;

/// Header, over HTTP and on Kafka alike.
pub const CORRELATION_HEADER: &str = "x-correlation-id";

/// Correlation id: 1 to 64 letters, digits and `_ - . :`, so that it can't break a log line
/// or a header. It says nothing about who asks: nothing is decided by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrelationId(String);

impl CorrelationId {
    /// Takes a caller's id; `None` if it is not plain.
    pub fn given(text: &str) -> Option<Self> {
        is_plain(text, MAX_KEY_BYTES).then(|| CorrelationId(text.to_owned()))
    }

    /// Makes one that nobody else has: 32 hex digits.
    pub fn fresh() -> Self {
        CorrelationId(format!("{:032x}", rand::random::<u128>()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_text(self) -> String {
        self.0
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
