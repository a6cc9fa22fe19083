//! Seals of an order: MACs that the core writes beside it, over what was asked and over
//! how it was sent. Whoever changes the row without the key is found out before anything
//! is sent, whether the change is in the binlog or not.
//!
//! A seal is `version.key.mac`: the form of the sealed text, the first 8 hex digits of the
//! key's own name (so that two keys can be in use while one replaces the other), and 128
//! bits of HMAC-SHA256 in hex. The key is derived from the provenance key: a signature of
//! a transaction is never a seal.

use crate::provenance::EffectField::{Int, Text};
use crate::provenance::{EffectField, push_fields};
use crate::settings::Secret;
use hmac::{Hmac, Mac};
use sha2::Sha256;

const SEAL_VERSION: &str = "1";
/// Bytes of the MAC that are kept.
const SEAL_BYTES: usize = 16;

/// Everything that was asked. NULL is sealed as empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct SealedRequest<'a> {
    pub order: &'a str,
    pub account: &'a str,
    pub client: &'a str,
    pub kind: &'a str,
    pub to: &'a str,
    pub bank: &'a str,
    pub user: &'a str,
    pub payment_no: &'a str,
    pub serial_no: &'a str,
    /// In units of 10⁻⁴.
    pub units: i128,
    pub currency: &'a str,
}

/// Everything that a sending repeats, fixed by the claim, and how far the order is.
#[derive(Debug, Clone, Copy, Default)]
pub struct SealedSending<'a> {
    pub order: &'a str,
    pub account: &'a str,
    pub serial_no: &'a str,
    /// Empty once a channel has declined for itself alone.
    pub channel: &'a str,
    pub trade_time: &'a str,
    pub attempts: i128,
    /// Whether it may be sent: not yet, now, or never again.
    pub phase: &'a str,
}

/// A key that makes and checks seals.
#[derive(Clone)]
pub struct OrderSealKey {
    id: String,
    mac: Hmac<Sha256>,
}

impl OrderSealKey {
    /// Derives the key of seals from the provenance key.
    pub fn derive(provenance: &Secret) -> Self {
        let mut root = keyed(provenance.expose());
        root.update(b"sluice order seal v1");
        let mac = keyed(&root.finalize().into_bytes());
        let mut named = mac.clone();
        named.update(b"name");
        let mut id = hex::encode(named.finalize().into_bytes());
        id.truncate(8);
        OrderSealKey { id, mac }
    }

    /// Seals what was asked.
    pub fn request(&self, request: &SealedRequest<'_>) -> String {
        self.seal(&request.text())
    }

    /// Seals how it is sent.
    pub fn sending(&self, sending: &SealedSending<'_>) -> String {
        self.seal(&sending.text())
    }

    pub(super) fn seal(&self, text: &[u8]) -> String {
        let mut mac = self.mac.clone();
        mac.update(text);
        let mac = mac.finalize().into_bytes();
        format!(
            "{SEAL_VERSION}.{}.{}",
            self.id,
            hex::encode(&mac[..SEAL_BYTES])
        )
    }
}

impl std::fmt::Debug for OrderSealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OrderSealKey({}, …)", self.id)
    }
}

/// Keys that seals may be made with: the present one, one that replaces it or was
/// replaced, and those of before.
#[derive(Debug, Clone)]
pub struct OrderSealKeys(Vec<OrderSealKey>);

/// Why a seal does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("is no seal of a form known here")]
    Malformed,
    #[error("was made with a key that is not known here")]
    UnknownKey,
    #[error("does not match")]
    Mismatch,
}

impl OrderSealKeys {
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a Secret>) -> Self {
        OrderSealKeys(keys.into_iter().map(OrderSealKey::derive).collect())
    }

    /// Checks the seal of what was asked.
    ///
    /// # Errors
    /// Why it does not hold.
    pub fn check_request(&self, seal: &str, request: &SealedRequest<'_>) -> Result<(), SealError> {
        self.check(seal, &request.text())
    }

    /// Checks the seal of how it was sent.
    ///
    /// # Errors
    /// Why it does not hold.
    pub fn check_sending(&self, seal: &str, sending: &SealedSending<'_>) -> Result<(), SealError> {
        self.check(seal, &sending.text())
    }

    /// Checks the seal of how an order was sent, as it was made before it named a phase.
    ///
    /// # Errors
    /// Why it does not hold.
    pub fn check_former_sending(
        &self,
        seal: &str,
        sending: &SealedSending<'_>,
    ) -> Result<(), SealError> {
        self.check(seal, &sending.former_text())
    }

    /// Name of the key that a seal was made with, if it is none of these.
    pub fn unknown_key<'a>(&self, seal: &'a str) -> Option<&'a str> {
        let id = seal.split('.').nth(1)?;
        (!self.0.iter().any(|key| key.id == id)).then_some(id)
    }

    /// Compares in constant time.
    pub(super) fn check(&self, seal: &str, text: &[u8]) -> Result<(), SealError> {
        let mut parts = seal.split('.');
        let (version, id, mac) = (parts.next(), parts.next(), parts.next());
        let (Some(SEAL_VERSION), Some(id), Some(mac), None) = (version, id, mac, parts.next())
        else {
            return Err(SealError::Malformed);
        };
        let sealed = hex::decode(mac).map_err(|_| SealError::Malformed)?;
        if sealed.len() != SEAL_BYTES {
            return Err(SealError::Malformed);
        }
        let key = self.0.iter().find(|k| k.id == id);
        let mut mac = key.ok_or(SealError::UnknownKey)?.mac.clone();
        mac.update(text);
        mac.verify_truncated_left(&sealed)
            .map_err(|_| SealError::Mismatch)
    }
}

impl SealedRequest<'_> {
    fn text(&self) -> Vec<u8> {
        sealed_text(
            "request",
            &[
                Text(self.order.as_bytes()),
                Text(self.account.as_bytes()),
                Text(self.client.as_bytes()),
                Text(self.kind.as_bytes()),
                Text(self.to.as_bytes()),
                Text(self.bank.as_bytes()),
                Text(self.user.as_bytes()),
                Text(self.payment_no.as_bytes()),
                Text(self.serial_no.as_bytes()),
                Int(self.units),
                Text(self.currency.as_bytes()),
            ],
        )
    }
}

impl SealedSending<'_> {
    fn text(&self) -> Vec<u8> {
        let [order, account, serial_no, channel, trade_time, attempts] = self.fields();
        let phase = Text(self.phase.as_bytes());
        let fields = [
            order, account, serial_no, channel, trade_time, attempts, phase,
        ];
        sealed_text("sending", &fields)
    }

    fn former_text(&self) -> Vec<u8> {
        sealed_text("sending", &self.fields())
    }

    fn fields(&self) -> [EffectField<'_>; 6] {
        [
            Text(self.order.as_bytes()),
            Text(self.account.as_bytes()),
            Text(self.serial_no.as_bytes()),
            Text(self.channel.as_bytes()),
            Text(self.trade_time.as_bytes()),
            Int(self.attempts),
        ]
    }
}

pub(super) fn sealed_text(purpose: &str, fields: &[EffectField<'_>]) -> Vec<u8> {
    let mut text = Vec::with_capacity(256);
    push_fields(&mut text, purpose, fields);
    text
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC accepts every key length"),
    }
}

#[cfg(test)]
#[path = "order_seal_tests.rs"]
mod tests;
