//! The header of a block.

use crate::stream::wire::{ByteReader, put_number, put_signed, put_text};
use std::sync::Arc;

/// A block's words before its compressed bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlockHeader {
    /// Records of the recording that ended before this block.
    pub first: u64,
    /// Records that end in it.
    pub records: u64,
    /// Length of the bytes before compression.
    pub raw: u64,
    /// The newest watermark before it and in it; 0 if there was none.
    pub times: [i64; 2],
    /// Positions of its first and last transaction or event; empty if it has none.
    pub positions: [Arc<str>; 2],
}

impl BlockHeader {
    pub fn put(&self, out: &mut Vec<u8>) {
        [self.first, self.records, self.raw]
            .iter()
            .for_each(|number| put_number(out, *number));
        self.times.iter().for_each(|at_us| put_signed(out, *at_us));
        self.positions
            .iter()
            .for_each(|position| put_text(out, position));
    }

    /// The rest of `bytes` is the compressed part.
    pub fn take(bytes: &mut ByteReader<'_>) -> Option<BlockHeader> {
        let (first, records, raw) = (bytes.number()?, bytes.number()?, bytes.number()?);
        let times = [bytes.signed()?, bytes.signed()?];
        let positions = [bytes.text()?.into(), bytes.text()?.into()];
        Some(BlockHeader {
            first,
            records,
            raw,
            times,
            positions,
        })
    }
}
