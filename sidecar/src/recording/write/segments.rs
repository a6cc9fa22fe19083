//! Blocks into segments, and segments into a folder that never holds more than it may.

use crate::recording::format::block_header::BlockHeader;
use crate::recording::format::frame::{self, FrameKind};
use crate::recording::format::segment::{self, RecordingSegment};
use crate::recording::format::segment_header::SegmentHeader;
use crate::recording::write::RecordingWriter;
use crate::recording::write::store::SegmentSink;
use std::io::{Error, Result};
use std::sync::Arc;

/// Bytes of a segment at most; readers hold one in memory.
const MAX_SEGMENT_BYTES: u64 = 64 << 20;
/// A recording has at least this many segments, so that forgetting the oldest
/// forgets a small part.
const MIN_SEGMENTS: u64 = 8;
/// Kept free of blocks: a segment's header and end.
const RESERVED_BYTES: u64 = 4 << 10;

/// zstd's quickest real level.
const ZSTD_LEVEL: i32 = 1;

/// The segment that is being written.
pub struct SegmentInProgress {
    sink: Box<dyn SegmentSink>,
    number: u64,
    bytes: u64,
}

impl RecordingWriter {
    pub(super) fn write(&mut self, meta: &BlockHeader) -> Result<()> {
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
    pub(super) fn end(&mut self) -> Result<()> {
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

    pub(super) fn abandon(&mut self) {
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
}
