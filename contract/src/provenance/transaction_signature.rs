//! Signatures of transactions: who makes them, and who believes them.

use crate::keys::SigningKeys;
use crate::provenance::TransactionEffects;
use crate::settings::Secret;
use crate::transaction_key::{self, TransactionKeyPair, TransactionPublicKey};
use std::sync::Arc;

/// Both signatures of a transaction, as its outbox row has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionSignatures<T> {
    /// MAC in hex: all that programs of before the key pair look at.
    pub signature: T,
    /// Signature by a key pair; empty from a core without one.
    pub proof: T,
}

impl TransactionSignatures<String> {
    /// Texts as bytes.
    pub fn bytes(&self) -> TransactionSignatures<&[u8]> {
        TransactionSignatures {
            signature: self.signature.as_bytes(),
            proof: self.proof.as_bytes(),
        }
    }
}

/// Everything that a core signs with: the pair of its transactions, and the key of MACs, which
/// rows keep and core and sidecar share.
#[derive(Debug, Clone)]
pub struct TransactionSigner {
    mac_key: Secret,
    pair: Option<Arc<TransactionKeyPair>>,
}

impl TransactionSigner {
    pub fn new(mac_key: Secret, pair: Option<Arc<TransactionKeyPair>>) -> Self {
        TransactionSigner { mac_key, pair }
    }

    /// Key of the MACs of rows: of guard rows, intents and seals.
    pub fn mac_key(&self) -> &Secret {
        &self.mac_key
    }

    /// Signs a transaction.
    pub fn sign(
        &self,
        effects: &TransactionEffects,
        tx_id: &str,
        events: &str,
    ) -> TransactionSignatures<String> {
        let proof = self
            .pair
            .as_ref()
            .map(|pair| pair.sign(&effects.digest(tx_id.as_bytes(), events.as_bytes())));
        TransactionSignatures {
            signature: effects.sign(&self.mac_key, tx_id, events),
            proof: proof.unwrap_or_default(),
        }
    }
}

impl From<Secret> for TransactionSigner {
    fn from(mac_key: Secret) -> Self {
        TransactionSigner::new(mac_key, None)
    }
}

/// Why a signature is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransactionSignatureError {
    /// The key is none of those here, or MACs are not accepted any more.
    #[error("was made with a key, or in a way, that is not accepted here")]
    UnknownKey,
    #[error("does not match")]
    Mismatch,
}

/// Keys by which transactions may be signed. None of them can sign but those of MACs, which
/// count as long as there is no public key, or while somebody says so.
#[derive(Debug, Clone)]
pub struct TransactionVerifier {
    public: Arc<[TransactionPublicKey]>,
    macs: Option<SigningKeys>,
}

impl TransactionVerifier {
    /// Accepts signatures of these pairs; `macs` are accepted as well if there are any.
    pub fn new(public: Vec<TransactionPublicKey>, macs: Option<SigningKeys>) -> Self {
        TransactionVerifier {
            public: public.into(),
            macs,
        }
    }

    /// Whether transactions need no pair's signature.
    pub fn accepts_macs(&self) -> bool {
        self.macs.is_some()
    }

    /// Whether there is a public key.
    pub fn has_public_keys(&self) -> bool {
        !self.public.is_empty()
    }

    /// Checks a transaction's signatures.
    ///
    /// # Errors
    /// Why they are not believed.
    pub fn check(
        &self,
        effects: &TransactionEffects,
        tx_id: &[u8],
        events: &[u8],
        signatures: TransactionSignatures<&[u8]>,
    ) -> Result<(), TransactionSignatureError> {
        use TransactionSignatureError::{Mismatch, UnknownKey};
        let TransactionSignatures { signature, proof } = signatures;
        let holds = if self.has_public_keys() && !proof.is_empty() {
            let (id, signature) = transaction_key::split(proof).ok_or(Mismatch)?;
            let key = self.public.iter().find(|key| key.id() == id);
            let key = key.ok_or(UnknownKey)?;
            key.verifies(&effects.digest(tx_id, events), &signature)
        } else {
            let macs = self.macs.as_ref().ok_or(UnknownKey)?;
            macs.any(|key| effects.verify(key, tx_id, events, signature))
        };
        holds.then_some(()).ok_or(Mismatch)
    }
}

impl From<SigningKeys> for TransactionVerifier {
    fn from(macs: SigningKeys) -> Self {
        TransactionVerifier::new(Vec::new(), Some(macs))
    }
}

impl From<Secret> for TransactionVerifier {
    fn from(key: Secret) -> Self {
        SigningKeys::from(key).into()
    }
}
