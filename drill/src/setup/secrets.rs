//! Fresh secrets for a private set-up.

use crate::channels::SimulatorKind;
use anyhow::Context;
use rand::RngCore;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

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
    create_named(dir, &secret_names())
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
        let path = secrets.join(name);
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
        {
            Ok(mut file) => writeln!(file, "{}", random_hex())?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).with_context(|| format!("can't create {}", path.display()));
            }
        }
    }
    Ok(secrets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_contract::settings::Secret;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn secrets_are_private_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = create(dir.path()).unwrap();
        let read = || {
            let text = |name| std::fs::read_to_string(secrets.join(name)).unwrap();
            secret_names().into_iter().map(text).collect::<Vec<_>>()
        };
        let before = read();
        create(dir.path()).unwrap();
        assert_eq!(before, read());
        assert_eq!(secret_names().len(), 2 + SimulatorKind::COUNT);
        for name in secret_names() {
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
