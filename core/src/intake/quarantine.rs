//! Payments that this build can't book: written down whole before their offsets are
//! committed, and tried again by every later build, so that none is lost.

use crate::accept::AcceptError;
use crate::intake::message::{PaymentOffset, ReceivedPayment};
use crate::intake::request::capture_request;
use sha2::{Digest, Sha256};
use sluice_contract::event::{BUSINESS_TOPICS, BusinessEvent, EventVerifier, sign_event};
use sluice_contract::keys::SigningKeys;
use sluice_contract::settings::Secret;
use subtle::ConstantTimeEq;

/// Characters of a reason that its column holds.
const MAX_REASON_CHARS: usize = 190;

/// A payment as it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PaymentMessage {
    pub(super) place: PaymentOffset,
    pub(super) payload: Vec<u8>,
    /// A producer's signature was demanded, and it held.
    pub(super) signed: bool,
    /// The time of the message on Kafka, µs since 1970 UTC.
    pub(super) event_time_us: i64,
}

/// A payment that is set aside, and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QuarantinedPayment {
    pub(super) source: PaymentMessage,
    pub(super) reason: String,
}

/// Keys that a row's MAC may be made with: the present provenance key first.
#[derive(Debug, Clone)]
pub(super) struct QuarantineKeys(Vec<Secret>);

impl PaymentMessage {
    /// Reads the payment again, and asks for its booking.
    ///
    /// # Errors
    /// The reason why this build can't book it.
    pub(super) fn request(self) -> Result<ReceivedPayment, QuarantinedPayment> {
        let read = BusinessEvent::read(&self.payload).map_err(|reason| reason.as_str().to_owned());
        match read.and_then(|event| capture_request(&event, self.event_time_us)) {
            Ok(request) => Ok(ReceivedPayment {
                request,
                source: self,
            }),
            Err(reason) => Err(self.quarantined(&reason)),
        }
    }

    pub(super) fn quarantined(self, reason: &str) -> QuarantinedPayment {
        QuarantinedPayment {
            source: self,
            reason: reason.chars().take(MAX_REASON_CHARS).collect(),
        }
    }

    /// Name of its row: told twice it is one, but what was told unsigned stands in no way of
    /// the same with its producer's signature.
    pub(super) fn digest(&self) -> String {
        let digest = Sha256::new()
            .chain_update([u8::from(self.signed)])
            .chain_update(&self.payload);
        hex::encode(digest.finalize())
    }

    /// Tells whether it may count now: signatures may be demanded since it was set aside.
    pub(super) fn may_count(&self, producers: &EventVerifier) -> bool {
        self.signed || producers.keys().is_none()
    }
}

impl ReceivedPayment {
    /// Sets aside a payment that is refused for good; `None` for one that contradicts what
    /// is booked: no build books it.
    pub(super) fn refused(self, refusal: &AcceptError) -> Option<QuarantinedPayment> {
        match refusal {
            AcceptError::KeyReused | AcceptError::AlreadyCaptured => None,
            refusal => Some(self.source.quarantined(&refusal.to_string())),
        }
    }
}

impl QuarantineKeys {
    /// Takes those of before too: a payment may wait for the next build longer than a key lives.
    pub(super) fn new(provenance: &SigningKeys, retired: &[Secret]) -> Self {
        QuarantineKeys(provenance.all().chain(retired).cloned().collect())
    }

    /// Makes the row's MAC.
    pub(super) fn mac(&self, source: &PaymentMessage) -> String {
        self.0.first().map_or(String::new(), |key| mac(key, source))
    }

    /// Tells whether a core has set it aside like that: whoever can write to the table must
    /// not make money. In constant time.
    pub(super) fn holds(&self, source: &PaymentMessage, stored: &str) -> bool {
        self.0
            .iter()
            .any(|key| mac(key, source).as_bytes().ct_eq(stored.as_bytes()).into())
    }
}

/// Signs all that the booking is made of, as a text that is no producer's.
fn mac(key: &Secret, source: &PaymentMessage) -> String {
    let (signed, time_us) = (u8::from(source.signed), source.event_time_us);
    let scope = format!("quarantine/{}/{signed}/{time_us}", BUSINESS_TOPICS[0]);
    sign_event(key, &scope, &source.payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(payload: &str) -> PaymentMessage {
        PaymentMessage {
            place: PaymentOffset {
                partition: 0,
                offset: 7,
            },
            payload: payload.as_bytes().to_vec(),
            signed: true,
            event_time_us: 5,
        }
    }

    #[test]
    fn only_what_a_core_has_set_aside_holds_and_also_while_its_key_rolls() {
        let (old, new) = (Secret::new("an old key"), Secret::new("a new key"));
        let keys = |current: &Secret, next: Option<&Secret>, retired: &[Secret]| {
            QuarantineKeys::new(&SigningKeys::new(current.clone(), next.cloned()), retired)
        };
        let mac = keys(&old, None, &[]).mac(&source("{}"));
        let both = keys(&new, Some(&old), &[]);
        assert!(both.holds(&source("{}"), &mac));
        assert!(!keys(&new, None, &[]).holds(&source("{}"), &mac));
        let retired = keys(&new, None, std::slice::from_ref(&old));
        assert!(retired.holds(&source("{}"), &mac));
        assert_ne!(retired.mac(&source("{}")), mac, "the present key signs");
        let changed = [
            source("{ }"),
            PaymentMessage {
                signed: false,
                ..source("{}")
            },
            PaymentMessage {
                event_time_us: 6,
                ..source("{}")
            },
        ];
        for changed in changed {
            assert!(!both.holds(&changed, &mac), "{changed:?}");
        }
        // Read from elsewhere on the topic, it is the same payment.
        let again = PaymentMessage {
            place: PaymentOffset {
                partition: 1,
                offset: 9,
            },
            ..source("{}")
        };
        assert!(both.holds(&again, &mac));
        assert_eq!(again.digest(), source("{}").digest());
    }

    #[test]
    fn what_came_unsigned_is_not_in_the_way_of_the_same_with_a_signature() {
        let unsigned = PaymentMessage {
            signed: false,
            ..source("{}")
        };
        assert_ne!(unsigned.digest(), source("{}").digest());
    }

    #[test]
    fn a_currency_of_a_later_build_is_set_aside_whole() {
        let event = r#"{"id":"1","type":"payment.succeeded","accountId":"M","bizNo":"b","amount":"5",
                        "currency":"XXX","occurredUs":1795288380000001}"#;
        let quarantined = source(event).request().unwrap_err();
        assert_eq!(quarantined.source, source(event));
        assert!(
            quarantined.reason.contains("currency"),
            "{}",
            quarantined.reason
        );
        let known = source(&event.replace("XXX", "CNY"));
        assert_eq!(known.clone().request().unwrap().source, known);
    }
}
