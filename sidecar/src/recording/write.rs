//! Writes a recording: blocks into segments, segments into a folder that never
//! holds more than it may.
//!
//! A block goes to the kernel as it is cut; to the disk itself when its segment
//! ends. So kill -9 loses the block that was growing, a second at most, and a power
//! failure perhaps the segment: a recording is there to try rules on, the truth is
//! in the database.

use super::Record;
use super::encode::Block;
use super::frame::{self, Kind};
use super::segment::{self, Header, Meta, Segment};
use crate::change::{Input, Source};
use anyhow::Context;
use std::collections::VecDeque;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error, Result, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a block before compression: some thousand rows, of which zstd makes a
/// fifth; larger ones compress no better.
const BLOCK: usize = 512 << 10;
/// Bytes of a segment at most; readers hold one in memory.
const SEGMENT: u64 = 64 << 20;
/// A recording has at least this many segments, so that forgetting the oldest
/// forgets a small part.
const PARTS: u64 = 8;
/// Kept free of blocks: a segment's header and end.
const RESERVE: u64 = 4 << 10;
/// Least that a recording may be allowed, in MiB: a large block fits.
pub const LEAST_MB: u64 = 16;
/// zstd's quickest real level.
const LEVEL: i32 = 1;

/// Where segments are written; tests put a full disk in its place.
pub trait Disk: Send {
    fn create(&mut self, path: &Path) -> Result<Box<dyn Sink>>;
}

/// A segment being written.
pub trait Sink: Write + Send {
    fn sync(&mut self) -> Result<()>;
}

/// The file system; files are for their owner alone, as rows hold names of accounts.
pub struct Files;

impl Disk for Files {
    fn create(&mut self, path: &Path) -> Result<Box<dyn Sink>> {
        Ok(Box::new(
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)?,
        ))
    }
}

impl Sink for File {
    fn sync(&mut self) -> Result<()> {
        self.sync_data()
    }
}

struct Current {
    sink: Box<dyn Sink>,
    number: u64,
    bytes: u64,
}

pub struct Writer {
    dir: PathBuf,
    disk: Box<dyn Disk>,
    most: u64,
    /// Nobody else writes here meanwhile.
    _lock: File,
    older: VecDeque<Segment>,
    current: Option<Current>,
    last: u64,
    block: Block,
    meta: Meta,
    watermarks: [i64; 2],
    rules: Arc<str>,
    /// Records of the recording so far, written or lost.
    records: u64,
    frame: Vec<u8>,
}

impl Writer {
    /// Goes on with the recording in `dir`, in a new segment, or begins one.
    pub fn open(dir: &Path, max_mb: u64) -> anyhow::Result<Writer> {
        Self::on(Box::new(Files), dir, max_mb)
    }

    pub fn on(disk: Box<dyn Disk>, dir: &Path, max_mb: u64) -> anyhow::Result<Writer> {
        anyhow::ensure!(
            max_mb >= LEAST_MB,
            "max_mb = {max_mb}: a recording needs {LEAST_MB} at least"
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
        let mut older: VecDeque<Segment> = segment::list(dir).with_context(here)?.into();
        let mut records = None;
        for segment in older.iter_mut().rev() {
            records = mend(segment).with_context(here)?;
            if records.is_some() {
                break;
            }
        }
        Ok(Writer {
            dir: dir.to_owned(),
            disk,
            most: max_mb << 20,
            _lock: lock,
            last: older.back().map_or(0, |segment| segment.number),
            older,
            current: None,
            block: Block::default(),
            meta: Meta::default(),
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
    pub fn push(&mut self, record: &Record) -> Result<()> {
        self.note(record);
        match record {
            Record::Input(Input::Transaction(transaction)) => {
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
        if self.block.bytes.len() >= BLOCK {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// What the block's head and the next segment's header say.
    fn note(&mut self, record: &Record) {
        let position = match record {
            Record::Input(Input::Transaction(transaction)) => &transaction.position,
            Record::Input(Input::Event(event)) => &event.position,
            Record::Input(Input::Watermark { source, at_us }) => {
                let place = usize::from(*source == Source::Kafka);
                self.watermarks[place] = self.watermarks[place].max(*at_us);
                self.meta.times[1] = self.meta.times[1].max(*at_us);
                return;
            }
            Record::Mark(super::Mark::Begin { rules, .. } | super::Mark::Rules { hash: rules }) => {
                self.rules = Arc::clone(rules);
                return;
            }
            Record::Mark(super::Mark::Gap { .. }) | Record::Input(Input::AtRest(_)) => return,
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
        let next = Meta {
            times: [newest, newest],
            ..Meta::default()
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

    fn write(&mut self, meta: &Meta) -> Result<()> {
        let mut body = Vec::new();
        meta.put(&mut body);
        body.extend(zstd::bulk::compress(&self.block.bytes, LEVEL)?);
        self.frame.clear();
        frame::put(&mut self.frame, Kind::Block, &body)?;
        let length = self.frame.len() as u64;
        let full = SEGMENT.min(self.most / PARTS);
        if self
            .current
            .as_ref()
            .is_some_and(|c| c.bytes + length > full)
        {
            self.end()?;
        }
        self.make_room(length + RESERVE)?;
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
        let header = Header {
            number: self.last,
            first,
            watermarks: self.watermarks,
            rules: Arc::clone(&self.rules),
        };
        let mut bytes = Vec::new();
        header.put(&mut bytes)?;
        let mut sink = self.disk.create(&segment::path_of(&self.dir, self.last))?;
        let written = sink.write_all(&bytes);
        self.current = Some(Current {
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
        frame::put(&mut bytes, Kind::End, &[])?;
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
        self.older.push_back(Segment {
            number,
            path: segment::path_of(&self.dir, number),
            bytes,
        });
    }

    /// Forgets the oldest segments until `more` bytes fit.
    fn make_room(&mut self, more: u64) -> Result<()> {
        let now = |writer: &Writer| {
            let older: u64 = writer.older.iter().map(|segment| segment.bytes).sum();
            older + writer.current.as_ref().map_or(0, |c| c.bytes)
        };
        while now(self) + more > self.most {
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
fn mend(last: &mut Segment) -> anyhow::Result<Option<u64>> {
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
