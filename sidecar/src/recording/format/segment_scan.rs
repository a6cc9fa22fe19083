//! A scan of a segment: where it ends, before a recorder goes on.

use crate::recording::format::block_header::BlockHeader;
use crate::recording::format::frame::{self, FrameKind, FrameLookup};
use crate::recording::format::segment_header::SegmentHeader;
use crate::stream::wire::ByteReader;

/// A segment's content, as it turns out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentScan {
    /// The end of the last whole frame.
    pub good: usize,
    /// Whether the segment was ended in order.
    pub ended: bool,
    /// Records of the recording up to its end.
    pub records: u64,
}

/// Scans a segment. Damage in the middle is not cut: that is for the reader to say.
pub fn scan(bytes: &[u8]) -> anyhow::Result<SegmentScan> {
    let (header, mut at) = SegmentHeader::read(bytes)?;
    let mut scan = SegmentScan {
        good: at,
        ended: false,
        records: header.first,
    };
    loop {
        match frame::find(bytes, at) {
            FrameLookup::Frame { kind, body, next } => {
                scan.ended = kind == FrameKind::End;
                let meta = Some(ByteReader(body))
                    .filter(|_| kind == FrameKind::Block)
                    .and_then(|mut b| BlockHeader::take(&mut b));
                scan.records = meta.map_or(scan.records, |meta| meta.first + meta.records);
                (at, scan.good) = (next, next);
            }
            FrameLookup::Damaged { next: Some(next) } => at = next,
            FrameLookup::Damaged { next: None } => {
                return Ok(SegmentScan {
                    good: bytes.len(),
                    ..scan
                });
            }
            FrameLookup::Over | FrameLookup::Torn => return Ok(scan),
        }
    }
}
