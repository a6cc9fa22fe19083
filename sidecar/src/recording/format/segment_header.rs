//! The header of a segment.

use crate::recording::format::entry::FORMAT_VERSION;
use crate::recording::format::frame::{self, FrameKind, FrameLookup};
use crate::stream::wire::{ByteReader, put_number, put_signed, put_text};
use anyhow::{Context, bail};
use std::sync::Arc;

/// First bytes of every segment.
pub const SEGMENT_MAGIC: &[u8; 8] = b"SLUICER\x01";

/// A segment's words before its blocks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SegmentHeader {
    pub number: u64,
    /// Records that the recording had before.
    pub first: u64,
    /// The last watermarks before it, binlog and Kafka; 0 if there was none.
    pub watermarks: [i64; 2],
    pub rules: Arc<str>,
}

impl SegmentHeader {
    pub fn put(&self, out: &mut Vec<u8>) -> std::io::Result<()> {
        let mut body = Vec::new();
        put_number(&mut body, FORMAT_VERSION);
        put_number(&mut body, self.number);
        put_number(&mut body, self.first);
        self.watermarks
            .iter()
            .for_each(|at_us| put_signed(&mut body, *at_us));
        put_text(&mut body, &self.rules);
        out.extend_from_slice(SEGMENT_MAGIC);
        frame::put(out, FrameKind::Header, &body)
    }

    /// The header, and where the blocks begin.
    pub fn read(bytes: &[u8]) -> anyhow::Result<(SegmentHeader, usize)> {
        if !bytes.starts_with(SEGMENT_MAGIC) {
            bail!("it does not begin as a recording's segment does");
        }
        let FrameLookup::Frame {
            kind: FrameKind::Header,
            body,
            next,
        } = frame::find(bytes, SEGMENT_MAGIC.len())
        else {
            bail!("its header, at byte {}, is damaged", SEGMENT_MAGIC.len())
        };
        let mut body = ByteReader(body);
        let version = body.number().context("its header is empty")?;
        if version != FORMAT_VERSION {
            bail!(
                "it is of version {version}, and this program reads version {FORMAT_VERSION}; use the newer program"
            );
        }
        let read = (|| {
            let (number, first) = (body.number()?, body.number()?);
            Some(SegmentHeader {
                number,
                first,
                watermarks: [body.signed()?, body.signed()?],
                rules: body.text()?.into(),
            })
        })();
        Ok((read.context("its header does not fit version 1")?, next))
    }
}
