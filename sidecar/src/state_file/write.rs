//! Writing of the file: under another name, synced, renamed.

use crate::metrics::StateMetrics;
use crate::rules::frozen::state_frames::FrameSink;
use crate::rules::stream::frozen_evaluator::FrozenEvaluator;
use crate::state_file::header::{StateHeader, StatePositions};
use crate::state_file::{MAGIC, keyed, path_in};
use anyhow::Context;
use crossbeam_channel::Receiver;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use sluice_contract::clock::now_us;
use sluice_contract::keys::SigningKeys;
use sluice_contract::signing::key_id;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

/// Begins the name of a file that is being written.
const UNFINISHED_PREFIX: &str = "state.unfinished-";
/// An unfinished file that is older was left by a process that was killed.
const UNFINISHED_AGE: Duration = Duration::from_secs(600);
/// Only the sidecar's user reads what is in it: accounts and amounts.
const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;
/// Bytes that are collected before they go to the disk.
const BUFFER_BYTES: usize = 1 << 20;

/// State on its way to the file; nothing found up to its positions is uncommitted once it is
/// handed to the writer.
#[derive(Debug)]
pub struct StateToWrite {
    pub positions: StatePositions,
    pub frozen: FrozenEvaluator,
    pub frozen_us: i64,
    pub epoch: i64,
    pub rules_hash: String,
    pub rules_version: i64,
    pub turn: WriteTurn,
}

/// The turn of one state on its way: until it is written or dropped, no other is frozen, so
/// that what is frozen is never kept many times.
#[derive(Debug, Default)]
pub struct WriteTurn(Arc<AtomicBool>);

impl WriteTurn {
    /// Takes the turn.
    pub fn take(is_taken: &Arc<AtomicBool>) -> WriteTurn {
        is_taken.store(true, Ordering::Release);
        WriteTurn(Arc::clone(is_taken))
    }
}

impl Drop for WriteTurn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Writer of the file; a thread of its own.
pub struct StateWriter {
    pub dir: PathBuf,
    pub keys: SigningKeys,
    pub metrics: &'static StateMetrics,
}

impl StateWriter {
    /// Writes what comes, until nobody sends any more. A file that can't be written is said, and
    /// costs time at a restart, nothing else.
    pub fn run(self, queue: &Receiver<StateToWrite>) {
        remove_unfinished(&self.dir);
        for state in queue {
            let (begun_us, frozen_us) = (now_us(), state.frozen_us);
            match write(&self.dir, &self.keys, state) {
                Ok(bytes) => self.metrics.written(frozen_us, bytes, now_us() - begun_us),
                Err(error) => {
                    self.metrics.write_failures.inc();
                    tracing::error!(
                        "the state of rules can't be written: {error:#}; a restart reads more of the binlog again"
                    );
                }
            }
        }
    }
}

/// Writes the file of a folder; returns its length in bytes.
pub fn write(dir: &Path, keys: &SigningKeys, state: StateToWrite) -> anyhow::Result<u64> {
    DirBuilder::new()
        .recursive(true)
        .mode(DIR_MODE)
        .create(dir)
        .with_context(|| format!("{}", dir.display()))?;
    let name = format!("{UNFINISHED_PREFIX}{:016x}", rand::random::<u64>());
    let unfinished = dir.join(name);
    let written = write_to(&unfinished, keys, state).and_then(|bytes| {
        fs::rename(&unfinished, path_in(dir))?;
        // The name is safe only with the folder.
        File::open(dir)?.sync_all()?;
        Ok(bytes)
    });
    if written.is_err() {
        // What is left is removed at the next start.
        let _ = fs::remove_file(&unfinished);
    }
    written.with_context(|| format!("{}", path_in(dir).display()))
}

fn write_to(path: &Path, keys: &SigningKeys, state: StateToWrite) -> io::Result<u64> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)?;
    let mut out = MacedFile {
        out: BufWriter::with_capacity(BUFFER_BYTES, file),
        mac: keyed(keys.current()),
        bytes: 0,
    };
    let header = StateHeader {
        positions: state.positions,
        frozen_us: state.frozen_us,
        epoch: state.epoch,
        rules_hash: state.rules_hash,
        rules_version: state.rules_version,
        key_id: key_id(keys.current()),
    };
    out.put(&MAGIC)?;
    out.frame(&header.encode())?;
    state.frozen.write(&mut out)?;
    let bytes = out.end();
    drop(state.turn);
    bytes
}

/// A file whose MAC grows with it.
struct MacedFile {
    out: BufWriter<File>,
    mac: Hmac<Sha256>,
    bytes: u64,
}

impl MacedFile {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.mac.update(bytes);
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn end(mut self) -> io::Result<u64> {
        let mac = self.mac.finalize().into_bytes();
        self.out.write_all(&mac)?;
        let file = self
            .out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(self.bytes + mac.len() as u64)
    }
}

impl FrameSink for MacedFile {
    fn frame(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len());
        let length = length.map_err(|_| io::Error::other("a frame above 4 GiB"))?;
        self.put(&length.to_le_bytes())?;
        self.put(bytes)
    }
}

/// Removes what killed processes left; another's that is under way is younger.
fn remove_unfinished(dir: &Path) {
    let Ok(files) = fs::read_dir(dir) else { return };
    let now = Duration::from_micros(u64::try_from(now_us()).unwrap_or(0));
    for file in files.flatten() {
        let is_unfinished = file
            .file_name()
            .to_string_lossy()
            .starts_with(UNFINISHED_PREFIX);
        let modified = file.metadata().and_then(|found| found.modified());
        let age = modified
            .ok()
            .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        if is_unfinished && age.is_some_and(|at| now.saturating_sub(at) > UNFINISHED_AGE) {
            let _ = fs::remove_file(file.path());
        }
    }
}
