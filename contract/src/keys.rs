//! Secrets that may change while programs run: two are valid at once, files are
//! looked at again, and what can't be used leaves the present ones in force.

use crate::settings::Secret;
use arc_swap::ArcSwap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often files are looked at. A change counts when it was seen twice in a row,
/// so that a file that is just being written, or one of two that are being
/// exchanged, is not taken for the new state: in force within a second.
const LOOK: Duration = Duration::from_millis(400);

/// What signs and verifies the messages of one counterpart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    current: Secret,
    next: Option<Secret>,
}

impl Keys {
    pub fn new(current: Secret, next: Option<Secret>) -> Self {
        Keys { current, next }
    }

    /// Reads the secret `<name>` and, if there is one, `<name>_next`.
    pub fn load(name: &str, dir: Option<&Path>) -> anyhow::Result<Self> {
        Ok(Keys {
            current: Secret::load(name, dir)?,
            next: Secret::load_optional(&format!("{name}_next"), dir)?,
        })
    }

    /// What we sign with.
    pub fn current(&self) -> &Secret {
        &self.current
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

/// The keys in force now; clones share them.
#[derive(Debug, Clone)]
pub struct KeyRing {
    name: String,
    dir: Option<PathBuf>,
    keys: Arc<ArcSwap<Keys>>,
}

impl KeyRing {
    /// Reads the keys; later `watch` looks at them again.
    pub fn load(name: &str, dir: Option<&Path>) -> anyhow::Result<Self> {
        let keys = Keys::load(name, dir)?;
        Ok(KeyRing {
            name: name.to_owned(),
            dir: dir.map(Path::to_owned),
            keys: Arc::new(ArcSwap::from_pointee(keys)),
        })
    }

    /// Keys that never change.
    pub fn fixed(keys: Keys) -> Self {
        KeyRing {
            name: String::new(),
            dir: None,
            keys: Arc::new(ArcSwap::from_pointee(keys)),
        }
    }

    pub fn get(&self) -> Arc<Keys> {
        self.keys.load_full()
    }
}

/// Looks at the rings' files for as long as the process lives. `told` hears the
/// name of a ring and whether its files are usable, after each look.
pub async fn watch(rings: Vec<KeyRing>, told: impl Fn(&str, bool)) {
    let mut watched: Vec<Watched> = rings.into_iter().map(Watched::new).collect();
    loop {
        tokio::time::sleep(LOOK).await;
        for one in &mut watched {
            let usable = one.look();
            told(&one.ring.name, usable);
        }
    }
}

struct Watched {
    ring: KeyRing,
    /// What the last look found, and how many looks in a row found the same.
    seen: Option<(Result<Keys, String>, u32)>,
}

impl Watched {
    fn new(ring: KeyRing) -> Self {
        Watched { ring, seen: None }
    }

    /// Whether the files are usable. They are a few bytes on a local disk: reading
    /// them doesn't need a thread of its own.
    fn look(&mut self) -> bool {
        let name = &self.ring.name;
        let found = Keys::load(name, self.ring.dir.as_deref()).map_err(|e| format!("{e:#}"));
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
mod tests {
    use super::*;
    use crate::signing::{sign, verify};

    const OLD: &str = "the-old-secret-of-it";
    const NEW: &str = "the-new-secret-of-it";

    fn write(dir: &Path, name: &str, text: &str) {
        std::fs::write(dir.join(name), text).unwrap();
    }

    fn signed_with(text: &str) -> impl Fn(&Secret) -> Result<(), crate::signing::SignatureError> {
        let signature = sign(&Secret::new(text), 1_000, b"body");
        move |secret| verify(secret, 1_000, Some("1000"), Some(&signature), b"body")
    }

    #[test]
    fn a_roll_never_leaves_a_message_unverified() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "channel_x", OLD);
        let ring = KeyRing::load("channel_x", Some(dir.path())).unwrap();
        let mut watched = Watched::new(ring.clone());
        assert!(ring.get().either(signed_with(NEW)).is_err());
        write(dir.path(), "channel_x_next", NEW);
        assert!(
            watched.look() && ring.get().either(signed_with(NEW)).is_err(),
            "a first look decides nothing"
        );
        assert!(watched.look());
        assert!(
            ring.get().either(signed_with(NEW)).is_ok()
                && ring.get().either(signed_with(OLD)).is_ok()
        );
        assert_eq!(ring.get().current(), &Secret::new(OLD));
        // Half exchanged when looked at, whole at the next look: one change.
        write(dir.path(), "channel_x", NEW);
        watched.look();
        write(dir.path(), "channel_x_next", OLD);
        watched.look();
        assert_eq!(ring.get().current(), &Secret::new(OLD));
        watched.look();
        assert_eq!(ring.get().current(), &Secret::new(NEW));
        assert!(ring.get().either(signed_with(OLD)).is_ok());
        std::fs::remove_file(dir.path().join("channel_x_next")).unwrap();
        watched.look();
        watched.look();
        assert!(
            ring.get().either(signed_with(OLD)).is_err()
                && ring.get().either(signed_with(NEW)).is_ok()
        );
    }

    #[test]
    fn what_cannot_be_used_leaves_the_present_secret_in_force() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "channel_x", OLD);
        let ring = KeyRing::load("channel_x", Some(dir.path())).unwrap();
        let mut watched = Watched::new(ring.clone());
        for (name, text) in [
            ("channel_x", "short"),
            ("channel_x", ""),
            ("channel_x_next", "short"),
        ] {
            write(dir.path(), "channel_x", OLD);
            write(dir.path(), name, text);
            assert!(!watched.look() && !watched.look(), "{name} {text}");
            assert_eq!(*ring.get(), Keys::new(Secret::new(OLD), None));
        }
        std::fs::remove_file(dir.path().join("channel_x")).unwrap();
        assert!(!watched.look() && !watched.look());
        assert_eq!(ring.get().current(), &Secret::new(OLD));
    }
}
