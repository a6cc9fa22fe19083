//! Reads a recording. Damage is never passed in silence: it is an error that names
//! segment and byte, or, where the caller asked to go on, a gap and a note.

mod block;
mod segments;

use crate::recording::format::decode::RecordingDecoder;
use crate::recording::format::entry::RecordingEntry;
use crate::recording::format::segment::{self, RecordingSegment};
use crate::recording::read::segments::SegmentCursor;
use anyhow::{Context, bail};
use std::collections::VecDeque;
use std::path::Path;

/// One block's content, and how far reading has come.
#[derive(Debug)]
pub struct RecordingBlock {
    pub records: Vec<RecordingEntry>,
    /// Bytes of the recording read so far.
    pub read: u64,
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
    /// Notes of what is missing or was cut.
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

    /// Counts the bytes of the whole recording.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Notes of what is missing, so far.
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

    fn damaged(&mut self, what: &str) -> anyhow::Result<()> {
        if !self.skip_damaged {
            bail!("{what}; restore it from a copy, or go on without it with --skip-damaged");
        }
        self.notes.push(format!("{what}; it was left out"));
        Ok(())
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
