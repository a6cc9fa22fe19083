//! Segments, one after the other and frame by frame.

use crate::recording::format::entry::RecordingEntry;
use crate::recording::format::frame::{self, FrameKind, FrameLookup};
use crate::recording::format::segment::RecordingSegment;
use crate::recording::format::segment_header::{SEGMENT_MAGIC, SegmentHeader};
use crate::recording::read::RecordingReader;
use anyhow::Context;

/// A segment that is being read.
pub struct SegmentCursor {
    pub segment: RecordingSegment,
    pub bytes: Vec<u8>,
    pub at: usize,
}

impl RecordingReader {
    /// Opens the next segment. `false` if there is none.
    pub(super) fn begin(&mut self) -> anyhow::Result<bool> {
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

    /// Notes what came before the first segment.
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
    pub(super) fn advance(&mut self) -> anyhow::Result<Option<Vec<RecordingEntry>>> {
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
}

/// Whether a file ends within its header.
fn is_torn(bytes: &[u8]) -> bool {
    let begun = bytes.len().min(SEGMENT_MAGIC.len());
    bytes[..begun] == SEGMENT_MAGIC[..begun]
        && (bytes.len() <= SEGMENT_MAGIC.len()
            || frame::find(bytes, SEGMENT_MAGIC.len()) == FrameLookup::Torn)
}
