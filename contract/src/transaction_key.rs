//! The key pair of transactions: the core signs with its private half (Ed25519), everybody else
//! verifies with public ones and can sign nothing. A signature's text is `2.KEYID.SIGNATURE`:
//! the version of the scheme, the key's own name, and 64 bytes in Base64 for URLs.

use crate::settings::Secret;
use anyhow::{Context, ensure};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;
use sha2::{Digest, Sha256};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Secret that holds the private half: 32 bytes in hex, which only cores have.
pub const PRIVATE_KEY_SECRET: &str = "transaction_key";
/// File beside the other secrets that holds public keys, one a line.
pub const PUBLIC_KEYS_SECRET: &str = "transaction_public_keys";
/// Version of the scheme; signatures of before it are the hex of a MAC.
const SCHEME: &str = "2";
/// Stands before what is signed, so that no signature is good for anything else.
const DOMAIN: &str = "sluice transaction signature";
/// Hex digits by which a key is named.
const ID_DIGITS: usize = 8;
const KEY_BYTES: usize = 32;
/// Rights of others on a file.
const RIGHTS_OF_OTHERS: u32 = 0o077;

/// A key pair that signs transactions; the private half is never printed.
pub struct TransactionKeyPair {
    public: TransactionPublicKey,
    pair: Ed25519KeyPair,
}

impl TransactionKeyPair {
    /// Makes the pair of a private key: 32 bytes in hex.
    ///
    /// # Errors
    /// It is none.
    pub fn new(private: &Secret) -> anyhow::Result<Self> {
        let seed = hex::decode(private.expose())
            .ok()
            .filter(|seed| seed.len() == KEY_BYTES)
            .with_context(|| {
                format!(
                    "secret {PRIVATE_KEY_SECRET} is not {KEY_BYTES} bytes in hex: make one with `sluice keys new`"
                )
            })?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .map_err(|_| anyhow::anyhow!("secret {PRIVATE_KEY_SECRET} is no key of Ed25519"))?;
        let public = TransactionPublicKey::new(pair.public_key().as_ref())?;
        Ok(TransactionKeyPair { public, pair })
    }

    /// Makes a private key in a new file that its owner alone may read. Nothing is replaced.
    ///
    /// # Errors
    /// The file exists, or can't be written.
    pub fn create(file: &Path) -> anyhow::Result<Self> {
        let mut bytes = [0u8; KEY_BYTES];
        rand::rng().fill_bytes(&mut bytes);
        let private = hex::encode(bytes);
        let pair = TransactionKeyPair::new(&Secret::new(&private))?;
        let mut opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file)
            .with_context(|| format!("can't create {}", file.display()))?;
        writeln!(opened, "{private}")?;
        opened.sync_all()?;
        Ok(pair)
    }

    /// Reads a private key's file.
    ///
    /// # Errors
    /// Others may read it too, or it holds no key.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let cant_read = || format!("can't read {}", file.display());
        let mode = std::fs::metadata(file).with_context(cant_read)?.mode();
        ensure!(
            mode & RIGHTS_OF_OTHERS == 0,
            "{} is open to others: chmod 600, and make another key if it was for long",
            file.display()
        );
        let text = std::fs::read_to_string(file).with_context(cant_read)?;
        TransactionKeyPair::new(&Secret::new(text.trim()))
    }

    pub fn public(&self) -> &TransactionPublicKey {
        &self.public
    }

    /// Signs the digest of a transaction.
    pub(crate) fn sign(&self, digest: &[u8]) -> String {
        let signature = self.pair.sign(&message(&self.public.id, digest));
        let signature = URL_SAFE_NO_PAD.encode(signature.as_ref());
        format!("{SCHEME}.{}.{signature}", self.public.id)
    }
}

impl std::fmt::Debug for TransactionKeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TransactionKeyPair({}, …)", self.public.id)
    }
}

/// The public half of a pair: it verifies, and is no secret.
#[derive(Clone)]
pub struct TransactionPublicKey {
    id: String,
    bytes: Vec<u8>,
    /// Parsed once: every transaction is verified with it.
    parsed: ParsedPublicKey,
}

impl PartialEq for TransactionPublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for TransactionPublicKey {}

impl std::fmt::Debug for TransactionPublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TransactionPublicKey({})", self.id)
    }
}

impl TransactionPublicKey {
    fn new(bytes: &[u8]) -> anyhow::Result<Self> {
        ensure!(
            bytes.len() == KEY_BYTES,
            "a public key has {KEY_BYTES} bytes"
        );
        let mut named = Sha256::new();
        named.update(DOMAIN);
        named.update(b" key\n");
        named.update(bytes);
        let mut id = hex::encode(named.finalize());
        id.truncate(ID_DIGITS);
        let parsed = ParsedPublicKey::new(&ED25519, bytes)
            .map_err(|_| anyhow::anyhow!("these {KEY_BYTES} bytes are no key of Ed25519"))?;
        Ok(TransactionPublicKey {
            id,
            bytes: bytes.to_vec(),
            parsed,
        })
    }

    /// Name of the key, made of the key itself: it stands in every signature.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Reads public keys, one a line in hex; empty lines and what follows a `#` are left out.
    ///
    /// # Errors
    /// The line that holds none, or there is none at all.
    pub fn parse_all(text: &str) -> anyhow::Result<Vec<Self>> {
        let lines = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or("").trim());
        let keys = lines
            .enumerate()
            .filter(|(_, line)| !line.is_empty())
            .map(|(at, line)| {
                let bytes = hex::decode(line).ok();
                let key = bytes.and_then(|bytes| TransactionPublicKey::new(&bytes).ok());
                key.with_context(|| {
                    format!(
                        "{PUBLIC_KEYS_SECRET}, line {}: not {KEY_BYTES} bytes in hex; `sluice keys public` prints a key's line",
                        at + 1
                    )
                })
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        ensure!(!keys.is_empty(), "{PUBLIC_KEYS_SECRET} holds no key");
        Ok(keys)
    }

    /// Reads the public keys beside the secrets; none if there is no such file.
    ///
    /// # Errors
    /// It can't be read, or a line holds no key.
    pub fn load_all(dir: Option<&Path>) -> anyhow::Result<Vec<Self>> {
        match Secret::load_optional(PUBLIC_KEYS_SECRET, dir)? {
            Some(text) => TransactionPublicKey::parse_all(
                std::str::from_utf8(text.expose())
                    .with_context(|| format!("{PUBLIC_KEYS_SECRET} is no text"))?,
            ),
            None => Ok(Vec::new()),
        }
    }

    /// Line of the key in the file of public keys.
    pub fn line(&self) -> String {
        format!("{}  # {}", hex::encode(&self.bytes), self.id)
    }

    /// Whether `signature` is this key's over the digest.
    pub(crate) fn verifies(&self, digest: &[u8], signature: &[u8]) -> bool {
        self.parsed
            .verify_sig(&message(&self.id, digest), signature)
            .is_ok()
    }
}

/// Splits a signature's text into key id and signature; `None` if it has another form.
pub(crate) fn split(text: &[u8]) -> Option<(&str, Vec<u8>)> {
    let text = std::str::from_utf8(text).ok()?;
    let (id, signature) = text
        .strip_prefix(SCHEME)?
        .strip_prefix('.')?
        .split_once('.')?;
    Some((id, URL_SAFE_NO_PAD.decode(signature).ok()?))
}

/// Everything that is signed: scheme, key and digest, told apart from any other message.
fn message(id: &str, digest: &[u8]) -> Vec<u8> {
    let mut message = format!("{DOMAIN}\n{SCHEME}\n{id}\n").into_bytes();
    message.extend_from_slice(digest);
    message
}
