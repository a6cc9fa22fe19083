//! Message authentication codes (HMAC-SHA256) between Sluice and its channels. A code names
//! what its message is, beside its body: version, direction, channel, path, time, and the
//! request that it belongs to. So a captured reply is no callback, a word on one request
//! is none on another, and an old message can't be played again for ever.
//!
//! The canonical text is these six lines, each ended by a line feed, and the body's bytes:
//! ```text
//! sluice-mac-1
//! reply                               direction: pay, query, reply or callback
//! netsunion                           channel
//! /netsunion/pay                      path below the base URL, query string included
//! 1795285800                          time of signing, seconds since 1970 UTC
//! 9f86d081884c7d659a2feaa0c55ad015    nonce of the request; a callback has its own
//! ```

use crate::settings::Secret;
use crate::string_enum;
use hmac::{Hmac, Mac};
use sha2::Sha256;

pub const SIGNATURE_HEADER: &str = "x-sluice-signature";
pub const TIMESTAMP_HEADER: &str = "x-sluice-timestamp";
/// Name of a request or callback, drawn anew for each.
pub const NONCE_HEADER: &str = "x-sluice-nonce";
/// Oldest and newest timestamp accepted, in seconds from now.
pub const MAX_CLOCK_SKEW_S: i64 = 300;

/// First line of the canonical text.
const VERSION: &str = "sluice-mac-1";
/// Shortest and longest nonce: 64 bits in hex at least.
const NONCE_LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;
const KEY_ID_CHARS: usize = 16;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the signature, timestamp or nonce header is missing or malformed")]
    Malformed,
    #[error("the timestamp is more than {MAX_CLOCK_SKEW_S} s away")]
    Stale,
    #[error("the signature does not match")]
    Mismatch,
}

string_enum! {
    /// Direction of a message, and its purpose.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum MessageDirection("direction of a message") {
        /// Ours to the channel: pay.
        Pay = "pay",
        /// Ours to the channel: tell what became of it.
        Query = "query",
        /// The channel's answer to either.
        Reply = "reply",
        /// The channel's own call to us.
        Callback = "callback",
    }
}

/// Place of a message in the conversation with a channel: what its code covers beside body
/// and time.
#[derive(Debug, Clone, Copy)]
pub struct MessageScope<'a> {
    pub direction: MessageDirection,
    pub channel: &'a str,
    /// Below the receiver's base URL. A reply has its request's.
    pub path: &'a str,
    /// A reply has its request's.
    pub nonce: &'a str,
}

impl MessageScope<'_> {
    /// Makes the code in hex of `body` signed at `timestamp_s`, seconds since 1970 UTC.
    pub fn sign(&self, secret: &Secret, timestamp_s: i64, body: &[u8]) -> String {
        hex::encode(self.mac(secret, timestamp_s, body).finalize().into_bytes())
    }

    /// Checks a code against the body, in constant time.
    pub fn verify(
        &self,
        secret: &Secret,
        now_s: i64,
        timestamp: Option<&str>,
        signature: Option<&str>,
        body: &[u8],
    ) -> Result<(), SignatureError> {
        let timestamp: i64 = timestamp
            .and_then(|t| t.parse().ok())
            .ok_or(SignatureError::Malformed)?;
        let signature = signature
            .and_then(|s| hex::decode(s).ok())
            .ok_or(SignatureError::Malformed)?;
        if !self.is_sound() {
            return Err(SignatureError::Malformed);
        }
        if now_s.saturating_sub(timestamp).saturating_abs() > MAX_CLOCK_SKEW_S {
            return Err(SignatureError::Stale);
        }
        self.mac(secret, timestamp, body)
            .verify_slice(&signature)
            .map_err(|_| SignatureError::Mismatch)
    }

    /// A line feed in a field would let one text be read as two; a short nonce names nothing.
    fn is_sound(&self) -> bool {
        let nonce = self.nonce;
        NONCE_LENGTHS.contains(&nonce.len())
            && nonce
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !self.path.bytes().any(|b| b.is_ascii_control())
            && !self.channel.bytes().any(|b| b.is_ascii_control())
    }

    fn mac(&self, secret: &Secret, timestamp_s: i64, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = keyed(secret);
        let time = timestamp_s.to_string();
        let direction = self.direction.as_str();
        for line in [
            VERSION,
            direction,
            self.channel,
            self.path,
            &time,
            self.nonce,
        ] {
            mac.update(line.as_bytes());
            mac.update(b"\n");
        }
        mac.update(body);
        mac
    }
}

/// Draws the name of a request or callback: 128 bits in hex.
pub fn new_nonce() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

/// Path of a channel's callbacks, as they are signed: below the core's base URL.
pub fn callback_path(channel: &str) -> String {
    format!("/withdraw/notify/{channel}")
}

/// Names a secret, so that both sides know which one signed; not secret itself.
pub fn key_id(secret: &Secret) -> String {
    let mut mac = keyed(secret);
    mac.update(b"sluice key id");
    let mut id = hex::encode(mac.finalize().into_bytes());
    id.truncate(KEY_ID_CHARS);
    id
}

fn keyed(secret: &Secret) -> Hmac<Sha256> {
    // HMAC takes keys of any length; the library's error can't occur.
    match Hmac::<Sha256>::new_from_slice(secret.expose()) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC accepts every key length"),
    }
}

#[cfg(test)]
#[path = "signing_tests.rs"]
mod tests;
