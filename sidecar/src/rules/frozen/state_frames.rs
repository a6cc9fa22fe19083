//! Frames of written state. A section is a run of frames, each decoded by itself; an empty
//! frame ends it.

use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Bytes after which a frame is handed on, so that none grows without bound.
pub const FRAME_BYTES: usize = 1 << 18;

/// A taker of frames.
pub trait FrameSink {
    /// Takes a frame; an empty one ends a section.
    fn frame(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// Hands `frame` on once it is long enough, and clears it. Returns whether it did.
pub fn hand_on(out: &mut dyn FrameSink, frame: &mut Vec<u8>, at_least: usize) -> io::Result<bool> {
    if frame.len() <= at_least {
        return Ok(false);
    }
    out.frame(frame)?;
    frame.clear();
    Ok(true)
}

/// Frames of a state, section by section.
#[derive(Debug, Clone)]
pub struct StateSections {
    bytes: Arc<Vec<u8>>,
    sections: Vec<Vec<Range<usize>>>,
}

impl StateSections {
    /// Cuts `bytes` from `begin` to `end` into frames: a length of four bytes before each,
    /// little-endian. None if they do not fit.
    pub fn cut(bytes: Arc<Vec<u8>>, begin: usize, end: usize) -> Option<StateSections> {
        let (mut sections, mut section, mut at) = (Vec::new(), Vec::new(), begin);
        while at < end {
            let length = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
            let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
            at += 4;
            if length == 0 {
                sections.push(std::mem::take(&mut section));
                continue;
            }
            let frame = at..at.checked_add(length).filter(|next| *next <= end)?;
            at = frame.end;
            section.push(frame);
        }
        (at == end && section.is_empty()).then_some(StateSections { bytes, sections })
    }

    pub fn len(&self) -> usize {
        self.sections.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// Frames of one section; none of a section that is not there.
    pub fn section(&self, number: usize) -> impl Iterator<Item = &[u8]> {
        let frames = self.sections.get(number).into_iter().flatten();
        frames.filter_map(|range| self.bytes.get(range.clone()))
    }
}

/// Appends a frame with its length; a frame is far below 4 GiB.
pub fn put_frame(out: &mut Vec<u8>, frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len()).map_err(|_| io::Error::other("a frame above 4 GiB"))?;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(frame);
    Ok(())
}

impl FrameSink for Vec<u8> {
    fn frame(&mut self, bytes: &[u8]) -> io::Result<()> {
        put_frame(self, bytes)
    }
}
