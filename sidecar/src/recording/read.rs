//! Reads a recording. Damage is never passed in silence: it is an error that names
//! segment and byte, or, where the caller asked to go on, a gap and a note.

use crate::recording::decode::RecordingDecoder;
use crate::recording::frame::{self, FrameKind, FrameLookup};
use crate::recording::segment::{
    self, BlockHeader, RecordingSegment, SEGMENT_MAGIC, SegmentHeader,
};
use crate::recording::wire::ByteReader;
use crate::recording::{RecordingEntry, RecordingMark};
use anyhow::{Context, bail};
use std::collections::VecDeque;
use std::path::Path;

/// Bytes of a block at most once it is decompressed: a row as large as any server
/// takes, and what was before it.
const MAX_RAW_BLOCK_BYTES: u64 = 1 << 30;

/// What one block holds, and how far reading has come.
#[derive(Debug)]
pub struct RecordingBlock {
    pub records: Vec<RecordingEntry>,
    /// Bytes of the recording read so far.
    pub read: u64,
}

struct SegmentCursor {
    segment: RecordingSegment,
    bytes: Vec<u8>,
    at: usize,
}

pub struct RecordingReader {
    segments: VecDeque<RecordingSegment>,
    current: Option<SegmentCursor>,
    /// Bytes of the segments that are done.
    done: u64,
    total: u64,
    skip_damaged: bool,
    decoder: RecordingDecoder,
    /// Number of the next record; None before the first.
    next: Option<u64>,
    /// What is missing or was cut, in words.
    notes: Vec<String>,
}

impl RecordingReader {
    /// Opens a folder or one segment. With `skip_damaged`, what can't be read becomes
    /// a gap.
    pub fn open(path: &Path, skip_damaged: bool) -> anyhow::Result<RecordingReader> {
        let segments = if path.is_dir() {
            segment::list(path).with_context(|| format!("the recording {}", path.display()))?
        } else {
            let bytes = std::fs::metadata(path)
                .with_context(|| format!("the recording {}", path.display()))?
                .len();
            vec![RecordingSegment {
                number: 0,
                path: path.to_owned(),
                bytes,
            }]
        };
        if segments.is_empty() {
            bail!(
                "{} holds no recording: there is no file like 0000000001.rec in it",
                path.display()
            );
        }
        Ok(RecordingReader {
            total: segments.iter().map(|segment| segment.bytes).sum(),
            segments: segments.into(),
            current: None,
            done: 0,
            skip_damaged,
            decoder: RecordingDecoder::default(),
            next: None,
            notes: Vec::new(),
        })
    }

    /// Bytes of the whole recording.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// What is missing, so far.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The next block's records; `None` at the end.
    ///
    /// # Errors
    /// Damage, with segment and byte, unless it is to be skipped.
    pub fn block(&mut self) -> anyhow::Result<Option<RecordingBlock>> {
        loop {
            if self.current.is_none() && !self.begin()? {
                self.end();
                return Ok(None);
            }
            let Some(records) = self.advance()? else {
                continue;
            };
            let read = self.done + self.current.as_ref().map_or(0, |current| current.at as u64);
            return Ok(Some(RecordingBlock { records, read }));
        }
    }

    /// Opens the next segment. `false` if there is none.
    fn begin(&mut self) -> anyhow::Result<bool> {
        let Some(segment) = self.segments.pop_front() else {
            return Ok(false);
        };
        let bytes = std::fs::read(&segment.path).with_context(|| {
            let name = segment.path.display();
            format!("{name} can't be read; a recorder forgets its oldest segments: copy a recording before reading it")
        })?;
        match SegmentHeader::read(&bytes) {
            Ok((header, at)) => {
                if self.next.is_none() {
                    self.late(&header);
                }
                self.current = Some(SegmentCursor { segment, bytes, at });
            }
            Err(_) if is_torn(&bytes) => {
                self.notes.push(format!(
                    "{} ends within its header: its recorder was killed",
                    segment.path.display()
                ));
                self.done += segment.bytes;
            }
            Err(error) => {
                self.damaged(&format!("{}: {error:#}", segment.path.display()))?;
                self.done += segment.bytes;
            }
        }
        Ok(true)
    }

    /// What came before the first segment is told.
    fn late(&mut self, header: &SegmentHeader) {
        self.next = Some(header.first);
        if header.first > 0 {
            self.notes.push(format!(
                "the first {} records are no longer there (the oldest segments go)",
                header.first
            ));
        }
    }

    /// One step within a segment: a block's records, if that was one.
    fn advance(&mut self) -> anyhow::Result<Option<Vec<RecordingEntry>>> {
        let Some(mut current) = self.current.take() else {
            return Ok(None);
        };
        let (name, at) = (current.segment.path.display().to_string(), current.at);
        match frame::find(&current.bytes, at) {
            FrameLookup::Frame {
                kind: FrameKind::Block,
                body,
                next,
            } => {
                let records = self.decode(body, &format!("{name}, byte {at}"))?;
                current.at = next;
                self.current = Some(current);
                return Ok(records);
            }
            FrameLookup::Frame { next, kind, .. } if kind != FrameKind::End => current.at = next,
            FrameLookup::Frame { next, .. } if next == current.bytes.len() => {
                self.done += current.segment.bytes;
                return Ok(None);
            }
            FrameLookup::Frame { next, .. } => {
                self.damaged(&format!(
                    "{name}, byte {next}: bytes follow the segment's end"
                ))?;
                current.at = next;
            }
            FrameLookup::Over => {
                self.notes.push(format!("{name} has no end: it is being written, or its recorder was killed and a second after this is missing"));
                self.done += current.segment.bytes;
                return Ok(None);
            }
            FrameLookup::Torn => {
                let left = current.bytes.len() - at;
                self.notes.push(format!(
                    "{name}: the block at byte {at} is not whole ({left} bytes of it); it is being written, or its recorder was killed"
                ));
                self.done += current.segment.bytes;
                return Ok(None);
            }
            FrameLookup::Damaged { next } => {
                self.damaged(&format!("{name}, byte {at}: the block is damaged"))?;
                match next {
                    Some(next) => current.at = next,
                    None => {
                        self.done += current.segment.bytes;
                        return Ok(None);
                    }
                }
            }
        }
        self.current = Some(current);
        Ok(None)
    }

    fn damaged(&mut self, what: &str) -> anyhow::Result<()> {
        if !self.skip_damaged {
            bail!("{what}; restore it from a copy, or go on without it with --skip-damaged");
        }
        self.notes.push(format!("{what}; it was left out"));
        Ok(())
    }

    /// A block's records, after what its number says is missing before it.
    fn decode(&mut self, body: &[u8], place: &str) -> anyhow::Result<Option<Vec<RecordingEntry>>> {
        let mut bytes = ByteReader(body);
        let meta = BlockHeader::take(&mut bytes).filter(|meta| meta.raw <= MAX_RAW_BLOCK_BYTES);
        let raw = meta
            .as_ref()
            .and_then(|meta| zstd::bulk::decompress(bytes.0, usize::try_from(meta.raw).ok()?).ok());
        let (Some(meta), Some(raw)) = (meta, raw) else {
            bail!(
                "{place}: its checksum is right, but it is no block of version {}",
                crate::recording::FORMAT_VERSION
            )
        };
        let mut all = Vec::new();
        let next = self.next.unwrap_or(meta.first);
        if meta.first < next {
            bail!(
                "{place}: record {} comes again after {next}; are segments of two recordings mixed?",
                meta.first
            );
        }
        if meta.first > next {
            let lost = meta.first - next;
            self.notes
                .push(format!("{lost} records are missing before {place}"));
            all.push(RecordingEntry::Mark(RecordingMark::Gap { lost }));
        }
        let ended = self.decoder.ended;
        let records = self.decoder.block(&raw);
        let Some(records) = records.filter(|_| self.decoder.ended - ended == meta.records) else {
            bail!(
                "{place}: its checksum is right, but its records are not of version {}",
                crate::recording::FORMAT_VERSION
            )
        };
        self.next = Some(meta.first + meta.records);
        if std::mem::take(&mut self.decoder.headless) > 0 {
            self.notes.push(format!(
                "{place}: the transaction that goes on here has lost its beginning"
            ));
            all.push(RecordingEntry::Mark(RecordingMark::Gap { lost: 1 }));
        }
        all.extend(records);
        Ok(Some(all))
    }

    fn end(&mut self) {
        if let Some(open) = self.decoder.open.take() {
            self.notes.push(format!(
                "transaction {} is not there to its end and was left out",
                open.position
            ));
        }
    }
}

/// Whether a file ends within its header.
fn is_torn(bytes: &[u8]) -> bool {
    let begun = bytes.len().min(SEGMENT_MAGIC.len());
    bytes[..begun] == SEGMENT_MAGIC[..begun]
        && (bytes.len() <= SEGMENT_MAGIC.len()
            || frame::find(bytes, SEGMENT_MAGIC.len()) == FrameLookup::Torn)
}
