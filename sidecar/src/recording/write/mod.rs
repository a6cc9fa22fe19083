//! Writes a recording: blocks into segments, segments into a folder that never
//! holds more than it may.
//!
//! A block goes to the kernel as it is cut; to the disk itself when its segment
//! ends. So kill -9 loses the block that was growing, a second at most, and a power
//! failure perhaps the segment: a recording is there to try rules on, the truth is
//! in the database.

mod note;
mod segments;
mod store;
mod torn_tail;

pub use crate::recording::write::store::{SegmentFiles, SegmentSink, SegmentStore};

use crate::recording::format::block_header::BlockHeader;
use crate::recording::format::encode::BlockEncoder;
use crate::recording::format::entry::RecordingEntry;
use crate::recording::format::segment::{self, RecordingSegment};
use crate::recording::write::segments::SegmentInProgress;
use crate::recording::write::torn_tail::truncate_torn_tail;
use crate::stream::change::RuleInput;
use anyhow::Context;
use std::collections::VecDeque;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Result;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Least that a recording may be allowed, in MiB: a large block fits.
pub const MIN_RECORDING_MB: u64 = 16;
/// Bytes of a block before compression: some thousand rows, of which zstd makes a
/// fifth; larger ones compress no better.
const TARGET_BLOCK_BYTES: usize = 512 << 10;
pub struct RecordingWriter {
    dir: PathBuf,
    disk: Box<dyn SegmentStore>,
    max_bytes: u64,
    /// Nobody else writes here meanwhile.
    _lock: File,
    older: VecDeque<RecordingSegment>,
    current: Option<SegmentInProgress>,
    last: u64,
    block: BlockEncoder,
    meta: BlockHeader,
    watermarks: [i64; 2],
    rules: Arc<str>,
    /// Records of the recording so far, written or lost.
    records: u64,
    frame: Vec<u8>,
}

impl RecordingWriter {
    /// Goes on with the recording in `dir`, in a new segment, or begins one.
    pub fn open(dir: &Path, max_mb: u64) -> anyhow::Result<RecordingWriter> {
        Self::on(Box::new(SegmentFiles), dir, max_mb)
    }

    pub fn on(
        disk: Box<dyn SegmentStore>,
        dir: &Path,
        max_mb: u64,
    ) -> anyhow::Result<RecordingWriter> {
        anyhow::ensure!(
            max_mb >= MIN_RECORDING_MB,
            "max_mb = {max_mb}: a recording needs {MIN_RECORDING_MB} at least"
        );
        let here = || format!("the recording's folder {}", dir.display());
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .with_context(here)?;
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(dir.join("lock"));
        let lock = lock.with_context(here)?;
        lock.try_lock()
            .with_context(|| format!("{} is being written by another process", here()))?;
        let mut older: VecDeque<RecordingSegment> = segment::list(dir).with_context(here)?.into();
        let mut records = None;
        for segment in older.iter_mut().rev() {
            records = truncate_torn_tail(segment).with_context(here)?;
            if records.is_some() {
                break;
            }
        }
        Ok(RecordingWriter {
            dir: dir.to_owned(),
            disk,
            max_bytes: max_mb << 20,
            _lock: lock,
            last: older.back().map_or(0, |segment| segment.number),
            older,
            current: None,
            block: BlockEncoder::default(),
            meta: BlockHeader::default(),
            watermarks: [0; 2],
            rules: Arc::default(),
            records: records.unwrap_or(0),
            frame: Vec::new(),
        })
    }

    /// Adds a record to the growing block, and writes the block once it is large.
    ///
    /// # Errors
    /// The disk's: what the block held is lost, which a reader is told by the numbers.
    pub fn push(&mut self, record: &RecordingEntry) -> Result<()> {
        self.note(record);
        match record {
            RecordingEntry::Input(RuleInput::Transaction(transaction)) => {
                let mut rest = &transaction.changes[..];
                let mut goes_on = false;
                loop {
                    let taken = self.block.transaction(&transaction.position, rest, goes_on);
                    rest = &rest[taken..];
                    if rest.is_empty() {
                        break;
                    }
                    goes_on = true;
                    self.flush()?;
                }
            }
            small => self.block.small(small),
        }
        self.meta.records += 1;
        if self.block.bytes.len() >= TARGET_BLOCK_BYTES {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Counts records that could not even be offered.
    pub fn skip(&mut self, records: u64) {
        self.records += records;
    }

    /// Counts the recording's records, written, lost or about to be written.
    pub fn records(&self) -> u64 {
        self.records + self.meta.records
    }

    /// Counts the bytes of the block that is not written yet.
    pub fn unwritten(&self) -> usize {
        self.block.bytes.len()
    }

    /// Writes the growing block, however small.
    pub fn flush(&mut self) -> Result<()> {
        if self.block.bytes.is_empty() {
            return Ok(());
        }
        let newest = self.watermarks[0].max(self.watermarks[1]);
        let next = BlockHeader {
            times: [newest, newest],
            ..BlockHeader::default()
        };
        let mut meta = std::mem::replace(&mut self.meta, next);
        (meta.first, meta.raw) = (self.records, self.block.bytes.len() as u64);
        self.records += meta.records;
        let written = self.write(&meta);
        self.block.clear();
        if written.is_err() {
            // Whatever was written of it ends the segment; a new one begins after it.
            self.abandon();
        }
        written
    }

    /// Writes what is left and ends the segment.
    pub fn finish(&mut self) -> Result<()> {
        self.flush()?;
        self.end()
    }
}
