//! A business event and its reading from a payload.

use crate::event::{BUSINESS_EVENTS, BUSINESS_TOPICS, PAYMENT_SUCCEEDED, WITHDRAW_REQUESTED};
use crate::outside_time::{TimeUnit, is_ahead};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// An upstream service's event. Rules don't see unknown fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BusinessEvent {
    /// Unique per event; a repeat is the same event again.
    pub id: String,
    /// One of [`BUSINESS_EVENTS`].
    #[serde(rename = "type")]
    pub kind: String,
    pub account_id: String,
    /// The upstream's own number of the payment or withdrawal.
    pub biz_no: String,
    /// Major units, as text.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
    pub currency: String,
    pub occurred_us: i64,
    /// The account that paid, of a payment: a refund goes back to it. Not seen by rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer_account_id: Option<String>,
    /// The client of the core that asks for the deposit or withdrawal told here: two
    /// clients may have one number. Not seen by rules, which pair by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// Longest event read, in bytes; a business event has eight short fields.
pub const MAX_EVENT_BYTES: usize = 64 * 1024;
/// Digits before and after the point of an amount: what the books can hold.
const MAX_AMOUNT_DIGITS: (usize, usize) = (16, 4);

/// Why a message is no business event. It never quotes what it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventError {
    TooLong,
    /// Not JSON, a field is missing or of another kind, or a key comes twice.
    Malformed,
    Amount,
    UnknownType,
    EmptyField,
    /// The time is none of this century in microseconds; the unit in which it would be.
    Time(Option<TimeUnit>),
    /// The time is far ahead of whoever reads the event.
    TimeAhead,
    /// Signatures are demanded, and its own is missing or of another key.
    Unsigned,
}

impl EventError {
    /// For metrics and tables.
    pub fn label(self) -> &'static str {
        match self {
            EventError::TooLong => "too_long",
            EventError::Malformed => "malformed",
            EventError::Amount => "amount",
            EventError::UnknownType => "unknown_type",
            EventError::EmptyField => "empty_field",
            EventError::Time(Some(TimeUnit::Seconds)) => "time_in_seconds",
            EventError::Time(Some(TimeUnit::Milliseconds)) => "time_in_milliseconds",
            EventError::Time(Some(TimeUnit::Nanoseconds)) => "time_in_nanoseconds",
            EventError::Time(_) => "time",
            EventError::TimeAhead => "time_ahead",
            EventError::Unsigned => "unsigned",
        }
    }

    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            EventError::TooLong => "longer than 64 KiB",
            EventError::Malformed => "not the JSON of a business event",
            EventError::Amount => {
                "amount is not text of the form 12.34, above zero, 16 digits and 4 decimals at most"
            }
            EventError::UnknownType => "unknown type",
            EventError::Unsigned => {
                "no signature of a producer that may tell of payments (kafka.security.signed_events)"
            }
            EventError::EmptyField => {
                "id, accountId, bizNo, currency, payerAccountId or client is empty"
            }
            EventError::Time(Some(TimeUnit::Seconds)) => {
                "occurredUs looks like seconds: it is microseconds since 1970 UTC"
            }
            EventError::Time(Some(TimeUnit::Milliseconds)) => {
                "occurredUs looks like milliseconds: it is microseconds since 1970 UTC"
            }
            EventError::Time(Some(TimeUnit::Nanoseconds)) => {
                "occurredUs looks like nanoseconds: it is microseconds since 1970 UTC"
            }
            EventError::Time(_) => {
                "occurredUs is no time from 2000 to 2099 in microseconds since 1970 UTC"
            }
            EventError::TimeAhead => {
                "occurredUs is more than a day ahead of the reader's clock (its zone, or a wrong clock)"
            }
        }
    }
}

impl std::fmt::Display for EventError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl BusinessEvent {
    /// The topic this kind of event belongs to.
    pub fn topic(&self) -> &'static str {
        if self.kind == WITHDRAW_REQUESTED {
            BUSINESS_TOPICS[1]
        } else {
            BUSINESS_TOPICS[0]
        }
    }

    /// Reads an event for core and sidecar alike, so that both take the same payload for
    /// the same event. The published schema is `contract/events/`.
    ///
    /// # Errors
    /// The fault's kind, without a quotation: a payload may hold anything.
    pub fn read(payload: &[u8]) -> Result<Self, EventError> {
        /// The event with its amount as it came: the event's own reader rounds past
        /// 28 digits without a word.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct RawBusinessEvent {
            id: String,
            #[serde(rename = "type")]
            kind: String,
            account_id: String,
            biz_no: String,
            amount: serde_json::Value,
            currency: String,
            occurred_us: i64,
            #[serde(default)]
            payer_account_id: serde_json::Value,
            #[serde(default)]
            client: serde_json::Value,
        }
        if payload.len() > MAX_EVENT_BYTES {
            return Err(EventError::TooLong);
        }
        let raw: RawBusinessEvent =
            serde_json::from_slice(payload).map_err(|_| EventError::Malformed)?;
        if !BUSINESS_EVENTS.contains(&raw.kind.as_str()) {
            return Err(EventError::UnknownType);
        }
        let amount = raw
            .amount
            .as_str()
            .and_then(amount)
            .ok_or(EventError::Amount)?;
        let RawBusinessEvent {
            id,
            kind,
            account_id,
            biz_no,
            currency,
            occurred_us,
            payer_account_id,
            client,
            ..
        } = raw;
        let (pays, asks) = (kind == PAYMENT_SUCCEEDED, kind != PAYMENT_SUCCEEDED);
        let payer_account_id = named(pays, payer_account_id)?;
        let client = named(asks, client)?;
        if [&id, &account_id, &biz_no, &currency]
            .iter()
            .any(|text| text.is_empty())
        {
            return Err(EventError::EmptyField);
        }
        match TimeUnit::of(occurred_us) {
            Some(TimeUnit::Microseconds) => {}
            other => return Err(EventError::Time(other)),
        }
        Ok(BusinessEvent {
            id,
            kind,
            account_id,
            biz_no,
            amount,
            currency,
            occurred_us,
            payer_account_id,
            client,
        })
    }
}

impl BusinessEvent {
    /// Refuses an event that says it happened long after `now_us`, microseconds since 1970
    /// UTC: what is to follow it would be waited for until then.
    ///
    /// # Errors
    /// [`EventError::TimeAhead`].
    pub fn check_time(self, now_us: i64) -> Result<Self, EventError> {
        if is_ahead(self.occurred_us, now_us) {
            return Err(EventError::TimeAhead);
        }
        Ok(self)
    }
}

/// Reads a name that the event may hold: the payer of a payment, the client of a deposit or
/// withdrawal. Of other events the field means nothing.
fn named(means: bool, value: serde_json::Value) -> Result<Option<String>, EventError> {
    match value {
        _ if !means => Ok(None),
        serde_json::Value::Null => Ok(None),
        serde_json::Value::String(text) if text.is_empty() => Err(EventError::EmptyField),
        serde_json::Value::String(text) => Ok(Some(text)),
        _ => Err(EventError::Malformed),
    }
}

/// Plain digits with at most one point: no sign, no exponent, no leading zeros.
fn amount(text: &str) -> Option<Decimal> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str, most| {
        (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    };
    let plain = digits(whole, MAX_AMOUNT_DIGITS.0) && digits(fraction, MAX_AMOUNT_DIGITS.1);
    if !plain || (whole.len() > 1 && whole.starts_with('0')) {
        return None;
    }
    Decimal::from_str_exact(text)
        .ok()
        .filter(|amount| !amount.is_zero())
}
