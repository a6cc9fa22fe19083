//! Deletions that the core signs: rows that it takes away on purpose, named in an outbox row
//! that is written and deleted in the same transaction. The binlog keeps it, nobody
//! publishes it, and a sidecar of before it takes it for a transaction without effects.

use crate::provenance::{
    EffectField, TransactionEffects, TransactionSignatureError, TransactionSignatures,
    TransactionSigner, TransactionVerifier, push_fields,
};
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// Beginning of the events of such a row; events are a list elsewhere.
const PREFIX: &str = "deletes/1/";
/// Hex digits by which a row is named: enough to be told from any other of its transaction.
const NAME_DIGITS: usize = 16;

/// Rows that a transaction of the core deletes.
#[derive(Debug, Default, Clone)]
pub struct SignedDeletions {
    names: String,
}

impl SignedDeletions {
    /// Adds a row by its table and the values of its key.
    pub fn add(&mut self, table: &str, key: &[&str]) {
        self.names.push_str(&name_of(table, key));
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Text that names all of them: the events of the row that is signed.
    pub fn events(&self) -> String {
        format!("{PREFIX}{}", self.names)
    }

    /// Signatures of that row.
    pub fn sign(&self, signer: &TransactionSigner, tx_id: &str) -> TransactionSignatures<String> {
        signer.sign(&TransactionEffects::new(), tx_id, &self.events())
    }
}

/// Rows named by `events`, if the row is one about deletions.
///
/// # Errors
/// Why its signature is not believed.
pub fn signed_deletions<'a>(
    keys: &TransactionVerifier,
    tx_id: &str,
    events: &'a str,
    signatures: TransactionSignatures<&[u8]>,
) -> Result<Option<DeletedNames<'a>>, TransactionSignatureError> {
    let Some(names) = events.strip_prefix(PREFIX) else {
        return Ok(None);
    };
    let none = TransactionEffects::new();
    keys.check(&none, tx_id.as_bytes(), events.as_bytes(), signatures)?;
    Ok(Some(DeletedNames(
        names.as_bytes().chunks(NAME_DIGITS).collect(),
    )))
}

/// Names of rows that the core said to delete.
#[derive(Debug, Clone)]
pub struct DeletedNames<'a>(HashSet<&'a [u8]>);

impl DeletedNames<'_> {
    /// Whether this row is among them.
    pub fn contain(&self, table: &str, key: &[&str]) -> bool {
        self.0.contains(name_of(table, key).as_bytes())
    }
}

fn name_of(table: &str, key: &[&str]) -> String {
    let fields: Vec<_> = key
        .iter()
        .map(|part| EffectField::Text(part.as_bytes()))
        .collect();
    let mut text = Vec::new();
    push_fields(&mut text, table, &fields);
    hex::encode(&Sha256::digest(&text)[..NAME_DIGITS / 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Secret;
    use crate::transaction_key::TransactionKeyPair;
    use std::sync::Arc;

    #[test]
    fn only_what_was_named_may_go_and_a_reader_of_before_sees_no_effect() {
        let key = Secret::new("0123456789abcdef");
        let keys = TransactionVerifier::from(key.clone());
        let mut deletions = SignedDeletions::default();
        deletions.add("outbox", &["A", "t1"]);
        deletions.add("cases", &["A", "o", "kind", "detail"]);
        let (events, signed) = (
            deletions.events(),
            deletions.sign(&key.clone().into(), "t9"),
        );
        let signature = &signed.signature;
        let named = signed_deletions(&keys, "t9", &events, signed.bytes());
        let named = named.unwrap().unwrap();
        assert!(named.contain("outbox", &["A", "t1"]));
        assert!(named.contain("cases", &["A", "o", "kind", "detail"]));
        for (table, key) in [("outbox", ["A", "t2"]), ("idempotency", ["A", "t1"])] {
            assert!(!named.contain(table, &key), "{table} {key:?}");
        }
        assert!(signed_deletions(&keys, "t8", &events, signed.bytes()).is_err());
        let more = format!("{events}0011223344556677");
        assert!(signed_deletions(&keys, "t9", &more, signed.bytes()).is_err());
        let nothing = TransactionEffects::new();
        assert!(nothing.verify(&key, b"t9", events.as_bytes(), signature.as_bytes()));
        let list = TransactionSigner::from(key).sign(&nothing, "t9", "[]");
        let listed = signed_deletions(&keys, "t9", "[]", list.bytes());
        assert!(listed.unwrap().is_none());
    }

    #[test]
    fn under_public_keys_a_mac_takes_nothing_away() {
        let key = Secret::new("0123456789abcdef");
        let pair = |digit: &str| TransactionKeyPair::new(&Secret::new(&digit.repeat(64))).unwrap();
        let (ours, theirs) = (pair("1"), pair("2"));
        let keys = TransactionVerifier::new(vec![ours.public().clone()], None);
        let stranger = theirs.public().id().to_owned();
        let mut deletions = SignedDeletions::default();
        deletions.add("outbox", &["A", "t1"]);
        let events = deletions.events();
        let by = |pair: Option<TransactionKeyPair>| {
            let signer = TransactionSigner::new(key.clone(), pair.map(Arc::new));
            let signed = deletions.sign(&signer, "t9");
            let named = signed_deletions(&keys, "t9", &events, signed.bytes());
            named.map(|names| names.is_some_and(|names| names.contain("outbox", &["A", "t1"])))
        };
        assert_eq!(by(Some(ours)), Ok(true));
        assert_eq!(by(None), Err(TransactionSignatureError::MacAlone));
        let unknown = TransactionSignatureError::UnknownKey(stranger);
        assert_eq!(by(Some(theirs)), Err(unknown));
    }
}
