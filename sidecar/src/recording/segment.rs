//! A recording's folder: segments `0000000001.rec`, each with a header, blocks and
//! an end.

use crate::recording::FORMAT_VERSION;
use crate::recording::frame::{self, FrameKind, FrameLookup};
use crate::recording::wire::{ByteReader, put_number, put_signed, put_text};
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FILE_EXTENSION: &str = "rec";
/// First bytes of every segment.
pub const SEGMENT_MAGIC: &[u8; 8] = b"SLUICER\x01";

/// A segment's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingSegment {
    pub number: u64,
    pub path: PathBuf,
    pub bytes: u64,
}

/// All segments of a folder, oldest first.
pub fn list(dir: &Path) -> std::io::Result<Vec<RecordingSegment>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .and_then(|stem| stem.parse().ok());
        if let Some(number) =
            number.filter(|_| path.extension().is_some_and(|e| e == FILE_EXTENSION))
        {
            let bytes = std::fs::metadata(&path)?.len();
            found.push(RecordingSegment {
                number,
                path,
                bytes,
            });
        }
    }
    found.sort_by_key(|segment| segment.number);
    Ok(found)
}

pub fn path_of(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}.{FILE_EXTENSION}"))
}

/// What a segment says before its blocks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SegmentHeader {
    pub number: u64,
    /// How many records the recording had before.
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

/// What stands before a block's compressed bytes.
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

/// What a segment turns out to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentScan {
    /// Where its last whole frame ends.
    pub good: usize,
    /// Whether it was ended in order.
    pub ended: bool,
    /// Records of the recording up to its end.
    pub records: u64,
}

/// What is damaged in the middle is not cut: that is for the reader to say.
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
