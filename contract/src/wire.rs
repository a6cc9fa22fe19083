//! Bodies that travel between programs: API answers, channel messages, and the
//! fence's stream.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Every API answer. `code` is 0 for success, else one of `ApiCode`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApiResponse<T> {
    pub code: u32,
    pub msg: String,
    pub data: Option<T>,
}

/// Stable codes of refusals: the HTTP status, then two digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiCode {
    BadJson = 40000,
    BadField = 40001,
    BadAmount = 40002,
    UnknownCurrency = 40003,
    MissingKey = 40004,
    BadKey = 40005,
    Unauthorized = 40100,
    BadSignature = 40101,
    /// The client or the end user may not do this.
    NotGranted = 40300,
    UnknownOrder = 40400,
    UnknownChannel = 40401,
    NoSuchAccount = 40402,
    NoSuchPath = 40403,
    UnknownVerdict = 40404,
    RequestTimeout = 40800,
    InFlight = 40900,
    TooLate = 40901,
    NotEnded = 40902,
    BodyTooLarge = 41300,
    WrongMediaType = 41500,
    KeyReused = 42200,
    UnknownAccount = 42201,
    InsufficientFunds = 42202,
    UnknownPayment = 42203,
    PaymentExceeded = 42204,
    RuleRefused = 42205,
    NotThePayer = 42206,
    TooOften = 42900,
    /// The hour's amount is used up.
    HourSpent = 42901,
    RateLimited = 42902,
    Internal = 50000,
    Overloaded = 50300,
    Unavailable = 50301,
}

impl ApiCode {
    pub fn status(self) -> u16 {
        // Codes are five digits below 60000, so the quotient fits.
        (self as u32 / 100) as u16
    }
}

/// A payment request to a channel. Serial number and trade time never change.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ChannelPay {
    pub serial_no: String,
    /// `YYYYMMDDhhmmss` in the channel's zone.
    pub trade_time: String,
    pub to_account: String,
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
    pub currency: String,
}

/// Asks what became of a payment, by the stored identity.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ChannelQuery {
    pub serial_no: String,
    pub trade_time: String,
}

/// A channel's reply to a request or query, and the body of its callback.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ChannelReply {
    #[serde(default)]
    pub serial_no: String,
    #[serde(default)]
    pub trade_time: String,
    /// Response code in the channel's own words.
    pub code: String,
    #[serde(default)]
    pub message: String,
    #[serde(default, with = "rust_decimal::serde::str_option")]
    pub amount: Option<Decimal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The payee's account in full, if the channel says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_account: Option<String>,
}

/// One line of the fence's stream (NDJSON): the sidecar's whole word to one core.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq)]
pub struct FenceLine {
    /// Highest token of this instance up to whose commit everything was evaluated.
    pub token: u64,
    /// Why the sidecar can't see, if it can't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blind: Option<String>,
    /// Accounts with a pair still open: their orders wait.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<String>,
    /// Version of the breakers' seal that is committed: a lower one in the database was
    /// put back by somebody else. 0: not known.
    #[serde(default)]
    pub breakers: i64,
    /// Set once the guard's rows are signed, all of them: no unsigned one is believed any
    /// more. Limit totals of this month (`YYYYMM`) and before it may be unsigned still; empty:
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<String>,
}
