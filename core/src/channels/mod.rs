//! Payment channels behind one trait. What a channel is asked, and what its words
//! mean, is its `ChannelAdapter`'s; connections, bounds, deadlines and retries are the
//! `client`'s and the same for all. `docs/ADD-A-CHANNEL.md` walks through adding one.

pub mod client;
mod json;
pub mod netsunion;
pub mod psp;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_transport;
pub mod unionpay;

pub mod permits;

pub use crate::channels::client::ChannelClient;
use crate::config::KNOWN_CHANNELS;
use sluice_contract::string_enum;

use crate::orders::Order;
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::HeaderMap;
use rust_decimal::Decimal;
use sluice_contract::keys::SigningKeys;
use sluice_contract::money::Currency;
use sluice_contract::signing::SignatureError;

/// A settlement never leaves the platform: this stands where others have a channel.
pub const INTERNAL_CHANNEL: &str = "internal";

string_enum! {
    /// What a channel's answer proves.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum ChannelAnswer("a channel's answer") {
        /// It has the trade and will tell the result.
        Accepted = "accepted",
        Succeeded = "succeeded",
        /// It did not and will not pay.
        Declined = "declined",
        /// It did not and will not pay, for a reason of its own (it does not reach the bank,
        /// it is closed): another channel may.
        NotHere = "not_here",
        /// Proves nothing. The default of every code table (promise 2).
        Unknown = "unknown",
        /// Same serial number, same day: it was sent before, and only a query tells the result.
        Duplicate = "duplicate",
        NoSuchTrade = "no_such_trade",
        /// Given back after success.
        Returned = "returned",
    }
}

/// A reply as understood. `code` is the channel's own word, for people. What the
/// channel says of the payment is compared with the order: anything else than what
/// we asked for is a person's case.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelResult {
    pub answer: ChannelAnswer,
    pub code: String,
    /// Major units.
    pub amount: Option<Decimal>,
    pub currency: Option<Currency>,
    /// Only if the channel tells it in full: a masked one is `None`.
    pub to_account: Option<String>,
}

impl ChannelResult {
    pub fn unknown(code: &str) -> Self {
        ChannelResult {
            answer: ChannelAnswer::Unknown,
            code: code.to_owned(),
            amount: None,
            currency: None,
            to_account: None,
        }
    }
}

string_enum! {
    /// What the channel is asked.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum ChannelCall("a call of a channel") {
        Pay = "pay",
        Query = "query",
    }
}

/// What messages are signed and verified with, and the time of it in seconds since
/// 1970 UTC.
#[derive(Debug, Clone, Copy)]
pub struct SigningContext<'a> {
    pub keys: &'a SigningKeys,
    pub now_s: i64,
}

/// A request, ready to be sent. Nothing in it may change from try to try but its
/// signature: serial number and trade time are the order's.
#[derive(Debug)]
pub struct ChannelMessage {
    pub method: Method,
    /// Below the channel's base URL, query string included.
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// What came back over HTTP, whatever it is.
#[derive(Debug)]
pub struct RawReply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What a channel told of its own accord.
#[derive(Debug, PartialEq)]
pub struct ChannelNotification {
    pub serial_no: String,
    pub heard: ChannelResult,
}

#[derive(Debug, thiserror::Error)]
pub enum NotificationError {
    #[error("{header}: {why}")]
    Signature {
        header: &'static str,
        why: SignatureError,
    },
    #[error("body: {0}")]
    Body(String),
}

/// One channel: how it is asked, and what its words mean. All of it is pure.
pub trait ChannelAdapter: Send + Sync {
    fn id(&self) -> &'static str;

    /// The request that asks to pay, or what became of it. Always by the order's
    /// stored serial number and trade time.
    ///
    /// # Errors
    /// The order can't be told to this channel. Nothing was sent.
    fn message(
        &self,
        call: ChannelCall,
        order: &Order,
        seal: SigningContext<'_>,
    ) -> anyhow::Result<ChannelMessage>;

    /// What a reply proves. What isn't listed proves nothing.
    ///
    /// # Errors
    /// Not the channel's answer about this order: unsigned, another serial number,
    /// junk. It counts as unknown.
    fn read(
        &self,
        call: ChannelCall,
        order: &Order,
        reply: &RawReply,
        seal: SigningContext<'_>,
    ) -> anyhow::Result<ChannelResult>;

    /// What a notification proves, if its signature holds.
    fn notified(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        seal: SigningContext<'_>,
    ) -> Result<ChannelNotification, NotificationError>;
}

/// The adapter of a configured channel id.
pub fn adapter(id: &str) -> anyhow::Result<Box<dyn ChannelAdapter>> {
    match id {
        "netsunion" => Ok(Box::new(json::JsonChannel(netsunion::NETSUNION_CODES))),
        "unionpay" => Ok(Box::new(json::JsonChannel(unionpay::UNIONPAY_CODES))),
        "psp" => Ok(Box::new(psp::PspChannel)),
        other => anyhow::bail!(
            "channel {other:?} is not known: this build knows {}",
            KNOWN_CHANNELS.join(", ")
        ),
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
