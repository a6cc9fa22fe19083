//! Secrets that may change while programs run: two are valid at once, files are
//! looked at again, and what can't be used leaves the present ones in force.

use crate::settings::Secret;
use arc_swap::ArcSwap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Interval between two looks at the files. A change counts when it was seen twice in a
/// row, so that a file that is just being written, or one of two that are being
/// exchanged, is not taken for the new state: in force within a second.
const FILE_CHECK_INTERVAL: Duration = Duration::from_millis(400);

/// Secrets that sign and verify the messages of one counterpart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeys {
    current: Secret,
    next: Option<Secret>,
}

impl SigningKeys {
    pub fn new(current: Secret, next: Option<Secret>) -> Self {
        SigningKeys { current, next }
    }

    /// Reads the secret `<name>` and, if there is one, `<name>_next`.
    pub fn load(name: &str, dir: Option<&Path>) -> anyhow::Result<Self> {
        Ok(SigningKeys {
            current: Secret::load(name, dir)?,
            next: Secret::load_optional(&format!("{name}_next"), dir)?,
        })
    }

    /// Tells whether `check` holds for either secret.
    pub fn any(&self, check: impl Fn(&Secret) -> bool) -> bool {
        self.all().any(check)
    }

    /// The secret that signs; either verifies.
    pub fn current(&self) -> &Secret {
        &self.current
    }

    /// Both secrets, while two are valid.
    pub fn all(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.current).chain(&self.next)
    }

    /// Holds if `check` does for either secret; else the error for the current one.
    pub fn either<E>(&self, check: impl Fn(&Secret) -> Result<(), E>) -> Result<(), E> {
        let first = check(&self.current);
        match (&first, &self.next) {
            (Err(_), Some(next)) if check(next).is_ok() => Ok(()),
            _ => first,
        }
    }
}

impl From<Secret> for SigningKeys {
    fn from(only: Secret) -> Self {
        SigningKeys::new(only, None)
    }
}

/// The keys in force now; clones share them.
#[derive(Debug, Clone)]
pub struct KeyRing {
    name: String,
    dir: Option<PathBuf>,
    keys: Arc<ArcSwap<SigningKeys>>,
}

impl KeyRing {
    /// Reads the keys; later `watch` looks at them again.
    pub fn load(name: &str, dir: Option<&Path>) -> anyhow::Result<Self> {
        let keys = SigningKeys::load(name, dir)?;
        Ok(KeyRing {
            name: name.to_owned(),
            dir: dir.map(Path::to_owned),
            keys: Arc::new(ArcSwap::from_pointee(keys)),
        })
    }

    /// Keys that never change.
    pub fn fixed(keys: SigningKeys) -> Self {
        KeyRing {
            name: String::new(),
            dir: None,
            keys: Arc::new(ArcSwap::from_pointee(keys)),
        }
    }

    pub fn get(&self) -> Arc<SigningKeys> {
        self.keys.load_full()
    }
}

/// Looks at the rings' files for as long as the process lives. After each look `report`
/// gets the name of a ring and whether its files are usable.
pub async fn watch(rings: Vec<KeyRing>, report: impl Fn(&str, bool)) {
    let mut watched: Vec<WatchedKeyRing> = rings.into_iter().map(WatchedKeyRing::new).collect();
    loop {
        tokio::time::sleep(FILE_CHECK_INTERVAL).await;
        for one in &mut watched {
            let usable = one.look();
            report(&one.ring.name, usable);
        }
    }
}

struct WatchedKeyRing {
    ring: KeyRing,
    /// The last look's finding, and the number of looks in a row that found the same.
    seen: Option<(Result<SigningKeys, String>, u32)>,
}

impl WatchedKeyRing {
    fn new(ring: KeyRing) -> Self {
        WatchedKeyRing { ring, seen: None }
    }

    /// Whether the files are usable. They are a few bytes on a local disk: reading
    /// them doesn't need a thread of its own.
    fn look(&mut self) -> bool {
        let name = &self.ring.name;
        let found = SigningKeys::load(name, self.ring.dir.as_deref()).map_err(|e| format!("{e:#}"));
        let times = match &self.seen {
            Some((seen, times)) if *seen == found => times.saturating_add(1),
            _ => 1,
        };
        // Acted upon, and said, once: at the second look.
        match &found {
            Ok(keys) if times == 2 && *keys != **self.ring.keys.load() => {
                self.ring.keys.store(Arc::new(keys.clone()));
                tracing::info!("secret {name} has changed and is in force");
            }
            Err(error) if times == 2 => {
                tracing::error!(
                    "secret {name} can't be used, the present one stays in force: {error}"
                );
            }
            _ => {}
        }
        let usable = found.is_ok();
        self.seen = Some((found, times));
        usable
    }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
