//! Loading of settings: a TOML file, a few environment variables over it, and
//! secrets from files or the environment, never from the file itself.

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;
use std::fmt;
use std::io::ErrorKind;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use subtle::ConstantTimeEq;

/// Shorter secrets could be guessed.
const MIN_SECRET_BYTES: usize = 16;

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
    /// `SLUICE_<NAME>_FILE` or `<dir>/<name>`; if there is none, the source that was
    /// installed. Shorter than 16 bytes is refused.
    pub fn load(name: &str, dir: Option<&Path>) -> anyhow::Result<Self> {
        let variable = format!("SLUICE_{}", name.to_uppercase());
        let file = std::env::var_os(format!("{variable}_FILE")).map(Into::into);
        let path = file.or_else(|| dir.map(|d| d.join(name)));
        if let Some(secret) = from_source(name, dir)? {
            return Ok(secret);
        }
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
        let named = is_in_environment(name);
        let absent = is_no_file(name, dir);
        if !named
            && absent
            && SOURCE
                .get()
                .is_none_or(|source| source.text(name).is_none())
        {
            return Ok(None);
        }
        Secret::load(name, dir).map(Some)
    }

    fn checked(name: &str, text: &str) -> anyhow::Result<Self> {
        Secret::new(text.trim()).long_enough(name)
    }

    fn long_enough(self, name: &str) -> anyhow::Result<Self> {
        if self.0.len() < MIN_SECRET_BYTES {
            bail!(
                "secret {name} is shorter than {MIN_SECRET_BYTES} bytes: make one with `openssl rand -hex 32`"
            );
        }
        Ok(self)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Refuses secrets of different owners that are the same: whoever has one would be the
/// other too. Two of one owner may be, while one replaces the other.
///
/// # Errors
/// The names of both; never what they are.
pub fn refuse_equal_secrets(all: &[(String, Secret)]) -> anyhow::Result<()> {
    for (at, (name, secret)) in all.iter().enumerate() {
        let same = all[..at].iter().find(|(other, text)| {
            let is_same = text.matches(secret.expose());
            is_same && other != name
        });
        if let Some((other, _)) = same {
            bail!(
                "{other} and {name} are the same secret: make one for each with `openssl rand -hex 32`"
            );
        }
    }
    Ok(())
}

/// Further source of a process' secrets, after the environment and files.
pub trait SecretSource: Send + Sync {
    /// Name of the source, for messages.
    fn name(&self) -> &str;

    /// The secret of this name as it is now, unchecked.
    fn text(&self, name: &str) -> Option<Secret>;
}

/// One per process, as its settings name it.
static SOURCE: OnceLock<Arc<dyn SecretSource>> = OnceLock::new();

/// Makes `source` the one that is asked for what neither the environment nor a file has.
/// A second one changes nothing.
pub fn install_source(source: Arc<dyn SecretSource>) {
    let _ = SOURCE.set(source);
}

/// The source's secret, if nothing goes before it.
///
/// # Errors
/// There is a source, and it has none; or it is too short.
fn from_source(name: &str, dir: Option<&Path>) -> anyhow::Result<Option<Secret>> {
    let Some(source) = SOURCE.get() else {
        return Ok(None);
    };
    if is_in_environment(name) || !is_no_file(name, dir) {
        return Ok(None);
    }
    let Some(secret) = source.text(name) else {
        bail!(
            "secret {name} is neither in the environment nor a file, and {} has no field of this name",
            source.name()
        );
    };
    secret.long_enough(name).map(Some)
}

fn is_in_environment(name: &str) -> bool {
    let variable = format!("SLUICE_{}", name.to_uppercase());
    std::env::var_os(&variable).is_some() || std::env::var_os(format!("{variable}_FILE")).is_some()
}

/// Whether there surely is no such file: one that can't be looked at may be there.
fn is_no_file(name: &str, dir: Option<&Path>) -> bool {
    dir.is_none_or(|dir| {
        std::fs::metadata(dir.join(name)).is_err_and(|e| e.kind() == ErrorKind::NotFound)
    })
}

/// Reads a TOML file; an unknown key or a wrong type names the key and the line. The line
/// itself is not shown: it may hold a password.
pub fn load_toml<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(0, |before| before.matches('\n').count() + 1);
        let message = error.message();
        anyhow::anyhow!("{}: wrong setting, line {line}: {message}", path.display())
    })
}

/// Overrides `target` by an environment variable, if set.
pub fn override_by(target: &mut String, variable: &str) {
    if let Ok(value) = std::env::var(variable) {
        *target = value;
    }
}

/// Refuses a number outside its range, by the setting's name.
///
/// # Errors
/// The name, the number and the range.
pub fn in_range(name: &str, value: u64, range: RangeInclusive<u64>) -> anyhow::Result<()> {
    if !range.contains(&value) {
        bail!(
            "{name} = {value} is not within {} and {}",
            range.start(),
            range.end()
        );
    }
    Ok(())
}

/// Refuses a URL that leaves loopback without TLS, unless the settings say so in so many
/// words: `allowance` is how they would.
///
/// # Errors
/// What is no HTTP URL, or would be sent in the clear, by the setting's name.
pub fn check_client_url(
    name: &str,
    url: &str,
    allowance: &str,
    is_allowed: bool,
) -> anyhow::Result<()> {
    let parsed = reqwest::Url::parse(url).with_context(|| format!("{name} = {url:?}"))?;
    match parsed.scheme() {
        "https" => Ok(()),
        "http" if is_allowed || is_loopback(parsed.host_str().unwrap_or_default()) => Ok(()),
        "http" => bail!(
            "{name} = {url}: beyond loopback, https:// is needed, or {allowance} if \
             something else encrypts"
        ),
        _ => bail!("{name} must begin with http:// or https://"),
    }
}

/// Tells whether a host, as URLs and brokers have it, is this machine.
pub fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let parsed = address.parse::<std::net::IpAddr>();
    host == "localhost" || parsed.is_ok_and(|ip| ip.to_canonical().is_loopback())
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
    fn one_secret_has_one_owner() {
        let secrets = |all: &[(&str, &str)]| {
            let named = |(name, text): &(&str, &str)| ((*name).to_owned(), Secret::new(text));
            refuse_equal_secrets(&all.iter().map(named).collect::<Vec<_>>())
        };
        assert!(secrets(&[]).is_ok());
        assert!(secrets(&[("a", "one"), ("b", "two"), ("a", "three")]).is_ok());
        // While a secret rolls, both files may have the same for a moment.
        assert!(secrets(&[("a", "one"), ("a", "one")]).is_ok());
        for (first, second) in [("a", "b"), ("a", "aa"), ("a", "a_next")] {
            let refused = secrets(&[(first, "one"), ("c", "two"), (second, "one")]);
            let text = refused.expect_err("one secret, two owners").to_string();
            assert!(text.contains(&format!("{first} and {second}")), "{text}");
            assert!(!text.contains("one secret has"), "{text}");
        }
    }

    #[test]
    fn a_listener_beyond_loopback_needs_authentication() {
        assert!(check_listener("listen", "127.0.0.1:1", false).is_ok());
        assert!(check_listener("listen", "0.0.0.0:1", true).is_ok());
        assert!(check_listener("listen", "0.0.0.0:1", false).is_err());
        assert!(check_listener("listen", "nowhere", true).is_err());
    }
}
