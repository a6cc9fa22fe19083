//! Signatures of transactions: who makes them, and who believes them.

use crate::keys::SigningKeys;
use crate::provenance::TransactionEffects;
use crate::settings::Secret;
use crate::transaction_key::{self, TransactionKeyPair, TransactionPublicKey};
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex, PoisonError};

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

/// Longest name of a key that an error repeats: a stranger wrote it.
const MAX_SHOWN_KEY_CHARS: usize = 16;

/// Why a signature is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransactionSignatureError {
    /// The pair's key is none of those here.
    #[error("is of key {0:?}, which is not in transaction_public_keys here")]
    UnknownKey(String),
    /// MACs are not accepted any more.
    #[error("is a MAC alone, which counts for nothing beside public keys")]
    MacAlone,
    #[error("does not match")]
    Mismatch,
}

/// Keys by which transactions may be signed. None of them can sign but those of MACs, which
/// count as long as there is no public key, or while somebody says so.
#[derive(Debug, Clone)]
pub struct TransactionVerifier {
    public: Arc<[TransactionPublicKey]>,
    macs: Option<SigningKeys>,
    /// Shared by all clones: a transaction is looked at by the guard's judge, by the rules that
    /// are armed and by those in shadow.
    verified: Arc<VerifiedSignatures>,
}

impl TransactionVerifier {
    /// Accepts signatures of these pairs; `macs` are accepted as well if there are any.
    pub fn new(public: Vec<TransactionPublicKey>, macs: Option<SigningKeys>) -> Self {
        TransactionVerifier {
            public: public.into(),
            macs,
            verified: Arc::default(),
        }
    }

    /// Whether transactions need no pair's signature.
    pub fn accepts_macs(&self) -> bool {
        self.macs.is_some()
    }

    /// Everything that is accepted, as status and logs name it.
    pub fn accepted(&self) -> &'static str {
        match (self.has_public_keys(), self.accepts_macs()) {
            (true, false) => "pairs",
            (true, true) => "pairs or macs",
            (false, true) => "macs",
            (false, false) => "nothing",
        }
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
        use TransactionSignatureError::{MacAlone, Mismatch, UnknownKey};
        let TransactionSignatures { signature, proof } = signatures;
        let holds = if self.has_public_keys() && !proof.is_empty() {
            let (id, signature) = transaction_key::split(proof).ok_or(Mismatch)?;
            let key = self.public.iter().find(|key| key.id() == id);
            let key =
                key.ok_or_else(|| UnknownKey(id.chars().take(MAX_SHOWN_KEY_CHARS).collect()))?;
            let digest = effects.digest(tx_id, events);
            let name = VerifiedSignatures::name(key.id(), &digest, &signature);
            self.verified.holds(&name)
                || (key.verifies(&digest, &signature) && self.verified.note(name))
        } else {
            let macs = self.macs.as_ref().ok_or(MacAlone)?;
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

/// Signatures that are remembered: more transactions than those in shadow lag behind.
const MAX_REMEMBERED: usize = 1_024;
type SignatureName = [u8; 32];

/// Signatures that held lately, so that each is computed once. One that did not hold is
/// computed again.
#[derive(Debug, Default)]
struct VerifiedSignatures(Mutex<Vec<SignatureName>>);

impl VerifiedSignatures {
    /// Names a signature by everything that it depends on.
    fn name(key_id: &str, digest: &[u8; 32], signature: &[u8]) -> SignatureName {
        let mut name = Sha256::new();
        name.update((key_id.len() as u64).to_be_bytes());
        name.update(key_id);
        name.update(digest);
        name.update(signature);
        name.finalize().into()
    }

    /// Place of a name: of two that share it, the later one is remembered.
    fn place(name: &SignatureName) -> usize {
        let [first, second, ..] = *name;
        usize::from(u16::from_be_bytes([first, second])) % MAX_REMEMBERED
    }

    fn holds(&self, name: &SignatureName) -> bool {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(Self::place(name)) == Some(name)
    }

    /// Remembers one that held; always true.
    fn note(&self, name: SignatureName) -> bool {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // No name is all zero but by finding a preimage of it.
        held.resize(MAX_REMEMBERED, [0; 32]);
        if let Some(place) = held.get_mut(Self::place(&name)) {
            *place = name;
        }
        true
    }
}
