//! Fresh secrets for a private set-up.

use crate::channels::SimulatorKind;
use anyhow::Context;
use rand::RngCore;
use sluice_contract::provenance::{TransactionSigner, TransactionVerifier};
use sluice_contract::settings::Secret;
use sluice_contract::transaction_key::{
    PRIVATE_KEY_SECRET, PUBLIC_KEYS_SECRET, TransactionKeyPair,
};
use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Names of the secrets that the core, the sidecar and the channels share.
pub fn secret_names() -> Vec<String> {
    let channels = SimulatorKind::ALL.map(|kind| format!("channel_{kind}"));
    ["provenance_key", "sidecar_token"]
        .map(str::to_owned)
        .into_iter()
        .chain(channels)
        .collect()
}

/// 32 random bytes in hex.
pub fn random_hex() -> String {
    let mut bytes = [0u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}

/// Makes what is missing of `<dir>/secrets/*` (mode 0600) and returns that
/// directory. What exists is kept: programs may be running on it.
pub fn create(dir: &Path) -> anyhow::Result<PathBuf> {
    // A set-up of before the key pair goes on without one: its binlog is read again.
    let is_new = !dir.join("secrets").join("provenance_key").exists();
    let secrets = create_named(dir, &secret_names())?;
    let private = secrets.join(PRIVATE_KEY_SECRET);
    if is_new && !private.exists() {
        let pair = TransactionKeyPair::create(&private)?;
        create_file(&secrets.join(PUBLIC_KEYS_SECRET), &pair.public().line())?;
    }
    Ok(secrets)
}

/// Everything that the stage's core signs with, and its sidecar verifies with.
pub fn transaction_keys(
    secrets: &Path,
    key: &Secret,
) -> anyhow::Result<(TransactionSigner, TransactionVerifier)> {
    Ok(
        match Secret::load_optional(PRIVATE_KEY_SECRET, Some(secrets))? {
            Some(private) => {
                let pair = TransactionKeyPair::new(&private)?;
                let verifier = TransactionVerifier::new(vec![pair.public().clone()], None);
                let signer = TransactionSigner::new(key.clone(), Some(Arc::new(pair)));
                (signer, verifier)
            }
            None => (key.clone().into(), key.clone().into()),
        },
    )
}

/// As `create`, for names of the caller's choice, such as `client_<name>`.
pub fn create_named(dir: &Path, names: &[impl AsRef<Path>]) -> anyhow::Result<PathBuf> {
    let secrets = dir.join("secrets");
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&secrets);
    made.with_context(|| format!("can't create {}", secrets.display()))?;
    for name in names {
        create_file(&secrets.join(name), &random_hex())?;
    }
    Ok(secrets)
}

fn create_file(path: &Path, line: &str) -> anyhow::Result<()> {
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Ok(mut file) => Ok(writeln!(file, "{line}")?),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error).with_context(|| format!("can't create {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn secrets_are_private_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = create(dir.path()).unwrap();
        let read = || {
            let pair = [PRIVATE_KEY_SECRET, PUBLIC_KEYS_SECRET].map(str::to_owned);
            let text = |name| std::fs::read_to_string(secrets.join(name)).unwrap();
            let names = secret_names().into_iter().chain(pair);
            names.map(text).collect::<Vec<_>>()
        };
        let before = read();
        create(dir.path()).unwrap();
        assert_eq!(before, read());
        assert_eq!(secret_names().len(), 2 + SimulatorKind::COUNT);
        let private = || [PRIVATE_KEY_SECRET.to_owned()].into_iter();
        for name in secret_names().into_iter().chain(private()) {
            let mode = std::fs::metadata(secrets.join(&name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
            assert_eq!(
                Secret::load(&name, Some(&secrets)).unwrap().expose().len(),
                64
            );
        }
    }
}
