//! The trait of a channel: the messages that it is asked by, and the proof that its words
//! give. All of it is pure.

use crate::channels::answer::ChannelResult;
use crate::orders::Order;
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::HeaderMap;
use sluice_contract::keys::SigningKeys;
use sluice_contract::signing::{MessageDirection, SignatureError};
use sluice_contract::string_enum;

string_enum! {
    /// Call of a channel.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum ChannelCall("a call of a channel") {
        Pay = "pay",
        Query = "query",
    }
}

impl ChannelCall {
    /// The direction that the request is signed for.
    pub fn direction(self) -> MessageDirection {
        match self {
            ChannelCall::Pay => MessageDirection::Pay,
            ChannelCall::Query => MessageDirection::Query,
        }
    }
}

/// Keys that messages are signed and verified with, and the time of it in seconds since
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

/// Reply over HTTP, whatever it is.
#[derive(Debug)]
pub struct RawReply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Notification that a channel sent of its own accord.
#[derive(Debug, PartialEq)]
pub struct ChannelNotification {
    pub serial_no: String,
    pub result: ChannelResult,
}

impl ChannelNotification {
    /// Makes the notification of the order that it names, in `field`.
    pub(super) fn of(result: ChannelResult, field: &str) -> Result<Self, NotificationError> {
        match result.echo.serial_no.stated() {
            Some(serial_no) => Ok(ChannelNotification {
                serial_no: serial_no.clone(),
                result,
            }),
            None => Err(NotificationError::Body(format!("{field} is missing"))),
        }
    }
}

/// Reason why a notification isn't taken.
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

/// Adapter of one channel: its requests, and the meaning of its words.
pub trait ChannelAdapter: Send + Sync {
    /// The channel's id, as in the settings.
    fn id(&self) -> &'static str;

    /// Makes the request that asks to pay, or what became of it. Always by the order's
    /// stored serial number and trade time. `nonce` names this call, and is signed.
    ///
    /// # Errors
    /// The order can't be told to this channel. Nothing was sent.
    fn message(
        &self,
        call: ChannelCall,
        order: &Order,
        nonce: &str,
        seal: SigningContext<'_>,
    ) -> anyhow::Result<ChannelMessage>;

    /// Reads what a reply proves. A word that isn't listed proves nothing; whether it is
    /// about this payment is compared later, of every field that it echoes.
    ///
    /// # Errors
    /// Not the channel's answer to the call of this `nonce`: unsigned, another call's,
    /// junk. It counts as unknown.
    fn read(
        &self,
        call: ChannelCall,
        order: &Order,
        nonce: &str,
        reply: &RawReply,
        seal: SigningContext<'_>,
    ) -> anyhow::Result<ChannelResult>;

    /// Reads what a notification proves, if its signature holds.
    fn notified(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        seal: SigningContext<'_>,
    ) -> Result<ChannelNotification, NotificationError>;
}

/// Reads a header as text.
pub(super) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
