//! Proof that a transaction was written by the core. Every transaction of the
//! core that changes a guarded table carries one outbox row whose signature
//! covers all of its effects; the sidecar recomputes the effects from the
//! binlog's row images. A guarded change without a valid signature is manual
//! (seed 003, the fifth kind of loss).
//!
//! Replaying a genuine row proves nothing: effects are after-images that include
//! the version of each balance and order, which only ever grows, and ids that
//! are primary keys.

mod deletions;
mod entry_seal;
mod guard_rows;
mod order_seal;
mod result_seal;
mod rows;
mod transaction_signature;

pub use crate::provenance::deletions::{DeletedNames, SignedDeletions, signed_deletions};
pub use crate::provenance::entry_seal::SealedEntry;
pub use crate::provenance::guard_rows::{
    MAC_COLUMN, SIGNED_GUARD_TABLES, SignedGuardTable, copy_mac, guard_mac, is_copy, is_guard_row,
    optional_text, signed_guard_table,
};
pub use crate::provenance::order_seal::{
    OrderSealKey, OrderSealKeys, SealError, SealedRequest, SealedSending,
};
pub use crate::provenance::result_seal::SealedResult;
pub use crate::provenance::rows::{
    EFFECT_TABLES, EffectColumn, EffectColumnKind, EffectTable, MAX_EFFECT_COLUMNS, SignedAttempt,
    SignedBalance, SignedCapture, SignedEntry, SignedOrder, effect_table,
};
pub use crate::provenance::transaction_signature::{
    TransactionSignatureError, TransactionSignatures, TransactionSigner, TransactionVerifier,
};

use crate::settings::Secret;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// Collects effects in any order and signs them as a sorted list.
#[derive(Debug, Default, Clone)]
pub struct TransactionEffects {
    /// Every effect back to back, each ended by a newline.
    text: Vec<u8>,
    /// End offset of each effect in `text`.
    ends: Vec<usize>,
}

/// One field of an effect.
#[derive(Debug, Clone, Copy)]
pub enum EffectField<'a> {
    Text(&'a [u8]),
    Int(i128),
}

impl TransactionEffects {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds the after-image of one row. Texts carry their length, so that no two
    /// different lists of fields read the same.
    pub fn add(&mut self, table: &str, fields: &[EffectField<'_>]) {
        push_fields(&mut self.text, table, fields);
        self.text.push(b'\n');
        self.ends.push(self.text.len());
    }

    /// Feeds everything that is signed: the transaction's id, its effects in order, its events.
    fn feed(&self, tx_id: &[u8], events: &[u8], mut update: impl FnMut(&[u8])) {
        let mut lines = Vec::with_capacity(self.ends.len());
        let mut start = 0;
        for end in &self.ends {
            lines.push(&self.text[start..*end]);
            start = *end;
        }
        lines.sort_unstable();
        update(tx_id);
        update(b"\n");
        lines.into_iter().for_each(&mut update);
        update(b"\n");
        update(events);
    }

    fn mac(&self, key: &Secret, tx_id: &[u8], events: &[u8]) -> Hmac<Sha256> {
        let mut mac = match Hmac::<Sha256>::new_from_slice(key.expose()) {
            Ok(mac) => mac,
            Err(_) => unreachable!("HMAC accepts every key length"),
        };
        self.feed(tx_id, events, |part| mac.update(part));
        mac
    }

    /// Digest of what the MAC covers, for a signature by a key pair.
    fn digest(&self, tx_id: &[u8], events: &[u8]) -> [u8; 32] {
        let mut digest = Sha256::new();
        self.feed(tx_id, events, |part| digest.update(part));
        digest.finalize().into()
    }

    /// Hex signature over the transaction's id, its effects and its events.
    pub fn sign(&self, key: &Secret, tx_id: &str, events: &str) -> String {
        hex::encode(
            self.mac(key, tx_id.as_bytes(), events.as_bytes())
                .finalize()
                .into_bytes(),
        )
    }

    /// Whether `signature` (hex) was made with `key` over exactly this; constant time.
    pub fn verify(&self, key: &Secret, tx_id: &[u8], events: &[u8], signature: &[u8]) -> bool {
        match hex::decode(signature) {
            Ok(signature) => self
                .mac(key, tx_id, events)
                .verify_slice(&signature)
                .is_ok(),
            Err(_) => false,
        }
    }
}

/// Appends a name and its fields.
fn push_fields(out: &mut Vec<u8>, name: &str, fields: &[EffectField<'_>]) {
    out.extend_from_slice(name.as_bytes());
    for field in fields {
        match field {
            EffectField::Text(text) => {
                out.push(b'|');
                push_int(out, text.len() as i128);
                out.push(b':');
                out.extend_from_slice(text);
            }
            EffectField::Int(number) => {
                out.push(b'#');
                push_int(out, *number);
            }
        }
    }
}

fn push_int(text: &mut Vec<u8>, number: i128) {
    let mut digits = itoa::Buffer::new();
    // Nearly all fit, and are written several times as fast.
    let digits = match i64::try_from(number) {
        Ok(number) => digits.format(number),
        Err(_) => digits.format(number),
    };
    text.extend_from_slice(digits.as_bytes());
}

#[cfg(test)]
mod tests;
