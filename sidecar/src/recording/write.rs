//! Writes a recording: blocks into segments, segments into a folder that never
//! holds more than it may.
//!
//! A block goes to the kernel as it is cut; to the disk itself when its segment
//! ends. So kill -9 loses the block that was growing, a second at most, and a power
//! failure perhaps the segment: a recording is there to try rules on, the truth is
//! in the database.

use crate::recording::RecordingEntry;
use crate::recording::encode::BlockEncoder;
use crate::recording::frame::{self, FrameKind};
use crate::recording::segment::{self, BlockHeader, RecordingSegment, SegmentHeader};
use crate::recording::settings::MIN_RECORDING_MB;
use crate::stream::change::{RuleInput, SourceKind};
use anyhow::Context;
use std::collections::VecDeque;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error, Result, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a block before compression: some thousand rows, of which zstd makes a
/// fifth; larger ones compress no better.
const TARGET_BLOCK_BYTES: usize = 512 << 10;
/// Bytes of a segment at most; readers hold one in memory.
const MAX_SEGMENT_BYTES: u64 = 64 << 20;
/// A recording has at least this many segments, so that forgetting the oldest
/// forgets a small part.
const MIN_SEGMENTS: u64 = 8;
/// Kept free of blocks: a segment's header and end.
const RESERVED_BYTES: u64 = 4 << 10;

/// zstd's quickest real level.
const ZSTD_LEVEL: i32 = 1;

/// Where segments are written; tests put a full disk in its place.
pub trait SegmentStore: Send {
    fn create(&mut self, path: &Path) -> Result<Box<dyn SegmentSink>>;
}

/// A segment being written.
pub trait SegmentSink: Write + Send {
    fn sync(&mut self) -> Result<()>;
}

/// The file system; files are for their owner alone, as rows hold names of accounts.
pub struct SegmentFiles;

impl SegmentStore for SegmentFiles {
    fn create(&mut self, path: &Path) -> Result<Box<dyn SegmentSink>> {
        Ok(Box::new(
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)?,
        ))
    }
}

impl SegmentSink for File {
    fn sync(&mut self) -> Result<()> {
        self.sync_data()
    }
}

struct SegmentInProgress {
    sink: Box<dyn SegmentSink>,
    number: u64,
    bytes: u64,
}

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

    /// What the block's head and the next segment's header say.
    fn note(&mut self, record: &RecordingEntry) {
        let position = match record {
            RecordingEntry::Input(RuleInput::Transaction(transaction)) => &transaction.position,
            RecordingEntry::Input(RuleInput::Event(event)) => &event.position,
            RecordingEntry::Input(RuleInput::Watermark { source, at_us }) => {
                let place = usize::from(*source == SourceKind::Kafka);
                self.watermarks[place] = self.watermarks[place].max(*at_us);
                self.meta.times[1] = self.meta.times[1].max(*at_us);
                return;
            }
            RecordingEntry::Mark(
                crate::recording::RecordingMark::Begin { rules, .. }
                | crate::recording::RecordingMark::Rules { hash: rules },
            ) => {
                self.rules = Arc::clone(rules);
                return;
            }
            RecordingEntry::Mark(crate::recording::RecordingMark::Gap { .. })
            | RecordingEntry::Input(RuleInput::AtRest(_)) => return,
        };
        if self.meta.positions[0].is_empty() {
            self.meta.positions[0] = Arc::clone(position);
        }
        self.meta.positions[1] = Arc::clone(position);
    }

    /// Records that could not even be offered.
    pub fn skip(&mut self, records: u64) {
        self.records += records;
    }

    /// Records of the recording, written, lost or about to be written.
    pub fn records(&self) -> u64 {
        self.records + self.meta.records
    }

    /// Bytes of the block that is not written yet.
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

    fn write(&mut self, meta: &BlockHeader) -> Result<()> {
        let mut body = Vec::new();
        meta.put(&mut body);
        body.extend(zstd::bulk::compress(&self.block.bytes, ZSTD_LEVEL)?);
        self.frame.clear();
        frame::put(&mut self.frame, FrameKind::Block, &body)?;
        let length = self.frame.len() as u64;
        let full = MAX_SEGMENT_BYTES.min(self.max_bytes / MIN_SEGMENTS);
        if self
            .current
            .as_ref()
            .is_some_and(|c| c.bytes + length > full)
        {
            self.end()?;
        }
        self.make_room(length + RESERVED_BYTES)?;
        if self.current.is_none() {
            self.begin(meta.first)?;
        }
        let current = self
            .current
            .as_mut()
            .ok_or_else(|| Error::other("no segment is open"))?;
        current.sink.write_all(&self.frame)?;
        current.bytes += length;
        Ok(())
    }

    fn begin(&mut self, first: u64) -> Result<()> {
        // A number whose file could not be written is not used again.
        self.last += 1;
        let header = SegmentHeader {
            number: self.last,
            first,
            watermarks: self.watermarks,
            rules: Arc::clone(&self.rules),
        };
        let mut bytes = Vec::new();
        header.put(&mut bytes)?;
        let mut sink = self.disk.create(&segment::path_of(&self.dir, self.last))?;
        let written = sink.write_all(&bytes);
        self.current = Some(SegmentInProgress {
            sink,
            number: self.last,
            bytes: bytes.len() as u64,
        });
        written
    }

    /// Ends the segment in order.
    fn end(&mut self) -> Result<()> {
        let Some(mut current) = self.current.take() else {
            return Ok(());
        };
        let mut bytes = Vec::new();
        frame::put(&mut bytes, FrameKind::End, &[])?;
        let ended = current
            .sink
            .write_all(&bytes)
            .and_then(|()| current.sink.sync());
        self.keep(current.number, current.bytes + bytes.len() as u64);
        ended
    }

    fn abandon(&mut self) {
        if let Some(current) = self.current.take() {
            let path = segment::path_of(&self.dir, current.number);
            let bytes = std::fs::metadata(path).map_or(current.bytes, |meta| meta.len());
            self.keep(current.number, bytes);
        }
    }

    fn keep(&mut self, number: u64, bytes: u64) {
        self.older.push_back(RecordingSegment {
            number,
            path: segment::path_of(&self.dir, number),
            bytes,
        });
    }

    /// Forgets the oldest segments until `more` bytes fit.
    fn make_room(&mut self, more: u64) -> Result<()> {
        let now = |writer: &RecordingWriter| {
            let older: u64 = writer.older.iter().map(|segment| segment.bytes).sum();
            older + writer.current.as_ref().map_or(0, |c| c.bytes)
        };
        while now(self) + more > self.max_bytes {
            let Some(oldest) = self.older.pop_front() else {
                return Err(Error::other(
                    "one block is larger than max_mb allows for the whole recording",
                ));
            };
            match std::fs::remove_file(&oldest.path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    self.older.push_front(oldest);
                    return Err(error);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes what is left and ends the segment.
    pub fn finish(&mut self) -> Result<()> {
        self.flush()?;
        self.end()
    }
}

/// Cuts what was being written when the last recorder was killed; returns how many
/// records the recording has. `None` if the segment tells nothing.
fn truncate_torn_tail(last: &mut RecordingSegment) -> anyhow::Result<Option<u64>> {
    let bytes = std::fs::read(&last.path)?;
    let name = last.path.display();
    let scan = match segment::scan(&bytes) {
        Ok(scan) => scan,
        Err(error) => {
            // Left for the reader, which says so too.
            tracing::warn!(segment = %name, error = %format!("{error:#}"), "a segment of the recording can't be read");
            return Ok(None);
        }
    };
    if scan.good < bytes.len() {
        tracing::warn!(
            segment = %name, at = scan.good, cut = bytes.len() - scan.good,
            "the last recorder was killed while it wrote a block: its beginning is cut off"
        );
        OpenOptions::new()
            .write(true)
            .open(&last.path)?
            .set_len(scan.good as u64)?;
        last.bytes = scan.good as u64;
    }
    Ok(Some(scan.records))
}
