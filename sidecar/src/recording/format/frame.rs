//! Frames: what a segment's bytes are cut into, so that damage is found, and what
//! comes after it is found again.
//!
//! `marker · kind · length (4) · checksum (4) · body`, little-endian. The checksum
//! (CRC-32, IEEE) covers kind, length and body.

/// Begins every frame: rare in compressed bytes, and searched for after damage.
const FRAME_MARKER: [u8; 4] = [0xf5, b'S', b'L', 0x9c];
/// Marker, kind, length, checksum.
pub const FRAME_OVERHEAD_BYTES: usize = 13;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    Header = 1,
    Block = 2,
    End = 3,
}

impl FrameKind {
    fn of(byte: u8) -> Option<FrameKind> {
        [FrameKind::Header, FrameKind::Block, FrameKind::End]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// A frame at a place of a segment, or what stands there instead.
#[derive(Debug, PartialEq, Eq)]
pub enum FrameLookup<'a> {
    Frame {
        kind: FrameKind,
        body: &'a [u8],
        next: usize,
    },
    /// The segment ends here, between two frames.
    Over,
    /// The rest is the beginning of a frame, or zeros: writing ended in the middle.
    Torn,
    /// Something else. The next whole frame, if there is one, begins at `next`.
    Damaged { next: Option<usize> },
}

/// Appends a frame. The body is at most 4 GiB long, which blocks never are.
pub fn put(out: &mut Vec<u8>, kind: FrameKind, body: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(body.len())
        .map_err(|_| std::io::Error::other("a block of more than 4 GiB"))?;
    out.extend_from_slice(&FRAME_MARKER);
    out.push(kind as u8);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&checksum(kind as u8, length, body).to_le_bytes());
    out.extend_from_slice(body);
    Ok(())
}

fn checksum(kind: u8, length: u32, body: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&[kind]);
    sum.update(&length.to_le_bytes());
    sum.update(body);
    sum.finalize()
}

/// Looks for the frame at `at`.
pub fn find(bytes: &[u8], at: usize) -> FrameLookup<'_> {
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.is_empty() {
        return FrameLookup::Over;
    }
    if let Some((kind, body)) = whole(rest) {
        return FrameLookup::Frame {
            kind,
            body,
            next: at + FRAME_OVERHEAD_BYTES + body.len(),
        };
    }
    let next = (at + 1..bytes.len()).find(|at| bytes.get(*at..).and_then(whole).is_some());
    let is_torn = next.is_none() && (begins(rest) || rest.iter().all(|byte| *byte == 0));
    if is_torn {
        FrameLookup::Torn
    } else {
        FrameLookup::Damaged { next }
    }
}

fn whole(rest: &[u8]) -> Option<(FrameKind, &[u8])> {
    if !rest.starts_with(&FRAME_MARKER) {
        return None;
    }
    let (kind, length) = (*rest.get(4)?, word(rest, 5)?);
    let body = rest
        .get(FRAME_OVERHEAD_BYTES..)?
        .get(..usize::try_from(length).ok()?)?;
    (word(rest, 9)? == checksum(kind, length, body)).then_some((FrameKind::of(kind)?, body))
}

/// Whether this is a frame of which the end is missing.
fn begins(rest: &[u8]) -> bool {
    let marker = &FRAME_MARKER[..rest.len().min(FRAME_MARKER.len())];
    let length = word(rest, 5).and_then(|length| usize::try_from(length).ok());
    rest.starts_with(marker)
        && length.is_none_or(|length| rest.len() < FRAME_OVERHEAD_BYTES.saturating_add(length))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..at + 4)?
        .try_into()
        .ok()
        .map(u32::from_le_bytes)
}
