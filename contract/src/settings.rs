//! Loading of settings: a TOML file, a few environment variables over it, and
//! secrets from files or the environment, never from the file itself.

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;
use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use subtle::ConstantTimeEq;

/// A secret: compared in constant time, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    pub fn new(text: &str) -> Self {
        Secret(text.as_bytes().to_vec())
    }

    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    pub fn matches(&self, candidate: &[u8]) -> bool {
        self.0.ct_eq(candidate).into()
    }

    /// Reads `SLUICE_<NAME>` or, if that is unset, the file named by
    /// `SLUICE_<NAME>_FILE` or `<dir>/<name>`. Shorter than 16 bytes is refused.
    pub fn load(name: &str, dir: Option<&Path>) -> anyhow::Result<Self> {
        let variable = format!("SLUICE_{}", name.to_uppercase());
        let file = std::env::var_os(format!("{variable}_FILE")).map(Into::into);
        let path = file.or_else(|| dir.map(|d| d.join(name)));
        let text = match (std::env::var(&variable), path) {
            (Ok(text), _) => text,
            (Err(_), Some(path)) => std::fs::read_to_string(&path).with_context(|| {
                format!(
                    "secret {name}: can't read {}; create it or set {variable}",
                    path.display()
                )
            })?,
            (Err(_), None) => {
                bail!("secret {name} is not set: set {variable}, {variable}_FILE or secrets_dir")
            }
        };
        Secret::checked(name, &text)
    }

    /// As `load`, but none at all is no error: neither variable is set and
    /// `<dir>/<name>` does not exist.
    pub fn load_optional(name: &str, dir: Option<&Path>) -> anyhow::Result<Option<Self>> {
        let variable = format!("SLUICE_{}", name.to_uppercase());
        let named = std::env::var_os(&variable).is_some()
            || std::env::var_os(format!("{variable}_FILE")).is_some();
        let absent = dir.is_none_or(|d| {
            std::fs::metadata(d.join(name)).is_err_and(|e| e.kind() == ErrorKind::NotFound)
        });
        if !named && absent {
            return Ok(None);
        }
        Secret::load(name, dir).map(Some)
    }

    fn checked(name: &str, text: &str) -> anyhow::Result<Self> {
        let secret = Secret::new(text.trim());
        if secret.0.len() < 16 {
            bail!("secret {name} is shorter than 16 bytes: make one with `openssl rand -hex 32`");
        }
        Ok(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Reads a TOML file; an unknown key or a wrong type names the key and the line.
pub fn load_toml<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{}: wrong setting", path.display()))
}

/// Overrides `target` by an environment variable, if set.
pub fn override_by(target: &mut String, variable: &str) {
    if let Ok(value) = std::env::var(variable) {
        *target = value;
    }
}

/// A listener that isn't on loopback needs `why_safe` to hold.
pub fn check_listener(
    name: &str,
    address: &str,
    authenticated: bool,
) -> anyhow::Result<std::net::SocketAddr> {
    let parsed: std::net::SocketAddr = address.parse().with_context(|| {
        format!("{name} = {address:?} is not an address such as 127.0.0.1:8080")
    })?;
    if !parsed.ip().is_loopback() && !authenticated {
        bail!(
            "{name} = {address}: beyond loopback, callers must be authenticated; configure clients first"
        );
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }

    #[test]
    fn a_listener_beyond_loopback_needs_authentication() {
        assert!(check_listener("listen", "127.0.0.1:1", false).is_ok());
        assert!(check_listener("listen", "0.0.0.0:1", true).is_ok());
        assert!(check_listener("listen", "0.0.0.0:1", false).is_err());
        assert!(check_listener("listen", "nowhere", true).is_err());
    }
}
