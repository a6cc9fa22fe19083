//! Seal of the breakers: a MAC over every breaker that is open and a version that only
//! rises, kept in one row beside them. The core believes no breaker to be closed unless
//! the seal says so: a row that was closed or deleted by hand breaks it.

use crate::keys::SigningKeys;
use crate::provenance::{EffectField, TransactionEffects};
use crate::settings::Secret;

/// An open breaker as the seal covers it; texts as the row has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedBreaker {
    pub point: String,
    pub scope: String,
    pub key: String,
    pub version: i64,
}

/// Makes the seal: hex of a MAC under the provenance key, whatever the order of `open`.
pub fn seal(key: &Secret, version: i64, open: &[SealedBreaker]) -> String {
    covered(open).sign(key, &subject(version), "")
}

/// Whether `seal` was made with one of `keys` over exactly these breakers; constant time. A
/// key that replaces another trips nothing: both hold meanwhile.
pub fn is_sealed(keys: &SigningKeys, version: i64, open: &[SealedBreaker], seal: &str) -> bool {
    let (covered, subject) = (covered(open), subject(version));
    keys.any(|key| covered.verify(key, subject.as_bytes(), b"", seal.as_bytes()))
}

/// Stands where a transaction's id would: no transaction of the core has such a one, so
/// that no signature of the outbox is a seal.
fn subject(version: i64) -> String {
    format!("breaker-seal/1/{version}")
}

fn covered(open: &[SealedBreaker]) -> TransactionEffects {
    let mut effects = TransactionEffects::new();
    for breaker in open {
        let texts = [&breaker.point, &breaker.scope, &breaker.key];
        let [point, scope, key] = texts.map(|text| EffectField::Text(text.as_bytes()));
        let version = EffectField::Int(breaker.version.into());
        effects.add("breaker", &[point, scope, key, version]);
    }
    effects
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Secret;

    fn open(keys: &[&str]) -> Vec<SealedBreaker> {
        let breaker = |key: &&str| SealedBreaker {
            point: "cash_out".into(),
            scope: "account".into(),
            key: (*key).to_owned(),
            version: 1,
        };
        keys.iter().map(breaker).collect()
    }

    #[test]
    fn a_seal_covers_each_breaker_and_the_version() {
        let key = Secret::new("0123456789abcdef");
        let whole = seal(&key, 7, &open(&["A", "B"]));
        let keys = SigningKeys::from(key.clone());
        assert!(is_sealed(&keys, 7, &open(&["B", "A"]), &whole));
        for fewer in [open(&["A"]), open(&[]), open(&["A", "B", "C"])] {
            assert!(!is_sealed(&keys, 7, &fewer, &whole));
        }
        assert!(!is_sealed(&keys, 8, &open(&["A", "B"]), &whole));
        let other = Secret::new("fedcba9876543210");
        let rolled = |next| SigningKeys::new(other.clone(), next);
        assert!(!is_sealed(&rolled(None), 7, &open(&["A", "B"]), &whole));
        assert!(is_sealed(&rolled(Some(key)), 7, &open(&["A", "B"]), &whole));
    }
}
