//! Files of a client's TLS. librdkafka reads them when a client is made and never again: who
//! has a client makes another once they have changed, or it is shut out when its
//! certificate ends or the brokers' authority is another.

use crate::kafka::KafkaConnection;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Interval between two looks. A change counts when it was seen twice in a row, so that
/// files that are exchanged one after the other are not taken for the new state.
const FILE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The hashes of the files' contents; none of a file that can't be read. Not the contents: a
/// key is among them.
type Hashes = Vec<Option<[u8; 32]>>;

/// The files of one client, and their state when it was made.
#[derive(Debug)]
pub struct KafkaCertificates {
    paths: Vec<PathBuf>,
    in_force: Hashes,
    seen: Option<Hashes>,
    looked: Instant,
    interval: Duration,
}

impl KafkaCertificates {
    /// Reads the files of a connection, of which a client is to be made.
    pub fn of(connection: &KafkaConnection) -> Self {
        KafkaCertificates::looked_at_every(connection, FILE_CHECK_INTERVAL)
    }

    fn looked_at_every(connection: &KafkaConnection, interval: Duration) -> Self {
        let security = &connection.security;
        let files = [&security.ca, &security.certificate, &security.key];
        let paths: Vec<PathBuf> = files.into_iter().flatten().cloned().collect();
        KafkaCertificates {
            in_force: hashes(&paths),
            paths,
            seen: None,
            looked: Instant::now(),
            interval,
        }
    }

    /// Tells, once a change, that another client is to be made. Looks at the files once a
    /// second at most, however often it is asked; what can't be read is no change.
    pub fn have_changed(&mut self) -> bool {
        if self.paths.is_empty() || self.looked.elapsed() < self.interval {
            return false;
        }
        self.looked = Instant::now();
        let found = hashes(&self.paths);
        let is_settled = self.seen.as_ref() == Some(&found);
        self.seen = Some(found.clone());
        if !is_settled || found == self.in_force || found.iter().any(Option::is_none) {
            return false;
        }
        self.in_force = found;
        true
    }
}

fn hashes(paths: &[PathBuf]) -> Hashes {
    let hash = |path: &PathBuf| {
        std::fs::read(path)
            .ok()
            .map(|text| Sha256::digest(text).into())
    };
    paths.iter().map(hash).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_once_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let put = |name: &str, text: &str| std::fs::write(path(name), text).unwrap();
        put("ca", "one");
        put("key", "one");
        let mut connection = KafkaConnection::open("b:1");
        connection.security.ca = Some(path("ca"));
        connection.security.key = Some(path("key"));
        let mut files = KafkaCertificates::looked_at_every(&connection, Duration::ZERO);
        assert!(!files.have_changed() && !files.have_changed());
        put("ca", "two");
        assert!(!files.have_changed(), "it may be half of the change");
        put("key", "two");
        assert!(!files.have_changed());
        assert!(files.have_changed(), "seen twice");
        assert!(!files.have_changed(), "told once");
        std::fs::remove_file(path("key")).unwrap();
        assert!(!files.have_changed() && !files.have_changed());
        put("key", "two");
        assert!(!files.have_changed() && !files.have_changed(), "as before");
        let mut none =
            KafkaCertificates::looked_at_every(&KafkaConnection::open(""), Duration::ZERO);
        assert!(!none.have_changed() && !none.have_changed());
    }
}
