//! Signatures of business events: proof that an event comes from a service that may tell of
//! payments, not from anybody who can write to the topic. Demanded by
//! `kafka.security.signed_events`; core and sidecar check alike.
//!
//! The canonical text is `sluice-event-1`, the topic, each ended by a line feed, and the
//! payload's bytes. Time is not part of it: an event that is played again has the id of the
//! first, and counts once.

use crate::event::EventError;
use crate::keys::KeyRing;
use crate::settings::Secret;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::path::Path;

/// Header of a message that holds its signature in hex.
pub const EVENT_SIGNATURE_HEADER: &str = "sluice-signature";
/// Secret that producers sign with; a second one, `…_next`, counts while it rolls.
pub const PRODUCER_SECRET: &str = "event_producer_key";
const VERSION: &str = "sluice-event-1";

/// Checks signatures, or lets everything pass if none are demanded. Clones share the keys.
#[derive(Debug, Clone, Default)]
pub struct EventVerifier(Option<KeyRing>);

impl EventVerifier {
    /// Loads the keys if signatures are demanded.
    ///
    /// # Errors
    /// The secret is missing or too short.
    pub fn load(demanded: bool, secrets_dir: Option<&Path>) -> anyhow::Result<Self> {
        let keys = demanded.then(|| KeyRing::load(PRODUCER_SECRET, secrets_dir));
        Ok(EventVerifier(keys.transpose()?))
    }

    /// The keys, for whoever watches their files.
    pub fn keys(&self) -> Option<&KeyRing> {
        self.0.as_ref()
    }

    /// Checks the signature of one message, in constant time.
    ///
    /// # Errors
    /// `EventError::Unsigned`: it is missing, or made with no key in force over these bytes.
    pub fn check(
        &self,
        topic: &str,
        signature: Option<&[u8]>,
        payload: &[u8],
    ) -> Result<(), EventError> {
        let Some(keys) = &self.0 else {
            return Ok(());
        };
        let signature = signature.and_then(|hex| hex::decode(hex).ok());
        let signature = signature.ok_or(EventError::Unsigned)?;
        let check = |key: &Secret| mac(key, topic, payload).verify_slice(&signature);
        keys.get().either(check).map_err(|_| EventError::Unsigned)
    }
}

/// Signs an event as its producer does: the header's value.
pub fn sign_event(key: &Secret, topic: &str, payload: &[u8]) -> String {
    hex::encode(mac(key, topic, payload).finalize().into_bytes())
}

fn mac(key: &Secret, topic: &str, payload: &[u8]) -> Hmac<Sha256> {
    let mut mac = match Hmac::<Sha256>::new_from_slice(key.expose()) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC accepts every key length"),
    };
    mac.update(format!("{VERSION}\n{topic}\n").as_bytes());
    mac.update(payload);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SigningKeys;

    #[test]
    fn a_signature_is_of_one_topic_one_payload_and_a_key_in_force() {
        let secret = |text: &str| Secret::new(&text.repeat(16));
        let keys = SigningKeys::new(secret("a"), Some(secret("b")));
        let verifier = EventVerifier(Some(KeyRing::fixed(keys)));
        let check = |topic: &str, signature: Option<&str>, payload: &[u8]| {
            verifier.check(topic, signature.map(str::as_bytes), payload)
        };
        for key in ["a", "b"] {
            let signature = sign_event(&secret(key), "t", b"{}");
            assert_eq!(check("t", Some(&signature), b"{}"), Ok(()));
            assert_eq!(
                check("u", Some(&signature), b"{}"),
                Err(EventError::Unsigned)
            );
            assert_eq!(
                check("t", Some(&signature), b"{ }"),
                Err(EventError::Unsigned)
            );
        }
        let stranger = sign_event(&secret("c"), "t", b"{}");
        for signature in [None, Some(""), Some("zz"), Some(stranger.as_str())] {
            assert_eq!(check("t", signature, b"{}"), Err(EventError::Unsigned));
        }
        let open = EventVerifier::default();
        assert_eq!(open.check("t", None, b"{}"), Ok(()));
    }
}
