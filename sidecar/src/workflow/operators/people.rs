//! People who have tokens. Their files are read again after a moment, or when one has come or
//! gone, not at each request: whoever shows something would otherwise make the sidecar read
//! as many files.

use crate::workflow::operators::token_files::{self, NamedToken};
use sluice_contract::settings::Secret;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Age at which the files are read again: who left is out so soon.
const MAX_AGE: Duration = Duration::from_secs(1);

/// The people as the files were read last, or why they can't be.
/// Without the folder there is no list, which is not an empty one.
pub(super) type KnownPeople = Arc<Result<Option<Vec<NamedToken>>, String>>;

/// Reader of the folder `people`; clones share what was read.
#[derive(Clone)]
pub struct People(Arc<PeopleReader>);

struct PeopleReader {
    dir: Option<PathBuf>,
    max_age: Duration,
    reads: AtomicU64,
    last: Mutex<Option<LastRead>>,
}

struct LastRead {
    at: Instant,
    /// When the folder had changed last: a file had come or gone.
    changed: Option<SystemTime>,
    known: KnownPeople,
}

impl People {
    /// Reads them among the secrets of `secrets_dir`; without one nobody has a token.
    pub fn among(secrets_dir: Option<&Path>) -> Self {
        People::read_again_after(secrets_dir, MAX_AGE)
    }

    pub(super) fn read_again_after(secrets_dir: Option<&Path>, max_age: Duration) -> Self {
        People(Arc::new(PeopleReader {
            dir: secrets_dir.map(|dir| dir.join("people")),
            max_age,
            reads: AtomicU64::new(0),
            last: Mutex::default(),
        }))
    }

    /// The people; one caller reads for all that come meanwhile.
    pub(super) fn known(&self) -> KnownPeople {
        let mut last = self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = self.0.dir.as_deref().map(std::fs::metadata);
        let changed = folder.and_then(|found| found.ok()?.modified().ok());
        let is_fresh =
            |read: &&LastRead| read.changed == changed && read.at.elapsed() < self.0.max_age;
        if let Some(read) = last.as_ref().filter(is_fresh) {
            return read.known.clone();
        }
        let read = self.0.dir.as_deref().map(token_files::read).transpose();
        self.0.reads.fetch_add(1, Ordering::Relaxed);
        let read = read.map(Option::flatten);
        let known: KnownPeople = Arc::new(read.map_err(|e| e.to_string()));
        *last = Some(LastRead {
            at: Instant::now(),
            changed,
            known: known.clone(),
        });
        known
    }

    /// Times that the folder was read.
    #[cfg(test)]
    pub(super) fn reads(&self) -> u64 {
        self.0.reads.load(Ordering::Relaxed)
    }

    /// The people's tokens by their names in messages, for a check at the start. Of a folder
    /// that can't be read nobody is known: requests are told so.
    pub fn tokens(&self) -> Vec<(String, Secret)> {
        let known = self.known();
        let known = known.as_ref().as_ref().ok().and_then(Option::as_ref);
        let people = known.map_or(&[][..], Vec::as_slice);
        let tokens = people.iter().filter_map(|(name, token)| {
            let token = token.clone()?;
            Some((format!("people/{name}"), token))
        });
        tokens.collect()
    }
}
