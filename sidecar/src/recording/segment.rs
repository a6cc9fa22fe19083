//! A recording's folder: segments `0000000001.rec`, each with a header, blocks and
//! an end.

use super::VERSION;
use super::frame::{self, Found, Kind};
use super::wire::{Bytes, put_number, put_signed, put_text};
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const ENDING: &str = "rec";
/// First bytes of every segment.
pub const MAGIC: &[u8; 8] = b"SLUICER\x01";

/// A segment's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub number: u64,
    pub path: PathBuf,
    pub bytes: u64,
}

/// All segments of a folder, oldest first.
pub fn list(dir: &Path) -> std::io::Result<Vec<Segment>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .and_then(|stem| stem.parse().ok());
        if let Some(number) = number.filter(|_| path.extension().is_some_and(|e| e == ENDING)) {
            let bytes = std::fs::metadata(&path)?.len();
            found.push(Segment {
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
    dir.join(format!("{number:010}.{ENDING}"))
}

/// What a segment says before its blocks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    pub number: u64,
    /// How many records the recording had before.
    pub first: u64,
    /// The last watermarks before it, binlog and Kafka; 0 if there was none.
    pub watermarks: [i64; 2],
    pub rules: Arc<str>,
}

impl Header {
    pub fn put(&self, out: &mut Vec<u8>) -> std::io::Result<()> {
        let mut body = Vec::new();
        put_number(&mut body, VERSION);
        put_number(&mut body, self.number);
        put_number(&mut body, self.first);
        self.watermarks
            .iter()
            .for_each(|at_us| put_signed(&mut body, *at_us));
        put_text(&mut body, &self.rules);
        out.extend_from_slice(MAGIC);
        frame::put(out, Kind::Header, &body)
    }

    /// The header, and where the blocks begin.
    pub fn read(bytes: &[u8]) -> anyhow::Result<(Header, usize)> {
        if !bytes.starts_with(MAGIC) {
            bail!("it does not begin as a recording's segment does");
        }
        let Found::Frame {
            kind: Kind::Header,
            body,
            next,
        } = frame::find(bytes, MAGIC.len())
        else {
            bail!("its header, at byte {}, is damaged", MAGIC.len())
        };
        let mut body = Bytes(body);
        let version = body.number().context("its header is empty")?;
        if version != VERSION {
            bail!(
                "it is of version {version}, and this program reads version {VERSION}; use the newer program"
            );
        }
        let read = (|| {
            let (number, first) = (body.number()?, body.number()?);
            Some(Header {
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
pub struct Meta {
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

impl Meta {
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
    pub fn take(bytes: &mut Bytes<'_>) -> Option<Meta> {
        let (first, records, raw) = (bytes.number()?, bytes.number()?, bytes.number()?);
        let times = [bytes.signed()?, bytes.signed()?];
        let positions = [bytes.text()?.into(), bytes.text()?.into()];
        Some(Meta {
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
pub struct Scan {
    /// Where its last whole frame ends.
    pub good: usize,
    /// Whether it was ended in order.
    pub ended: bool,
    /// Records of the recording up to its end.
    pub records: u64,
}

/// What is damaged in the middle is not cut: that is for the reader to say.
pub fn scan(bytes: &[u8]) -> anyhow::Result<Scan> {
    let (header, mut at) = Header::read(bytes)?;
    let mut scan = Scan {
        good: at,
        ended: false,
        records: header.first,
    };
    loop {
        match frame::find(bytes, at) {
            Found::Frame { kind, body, next } => {
                scan.ended = kind == Kind::End;
                let meta = Some(Bytes(body))
                    .filter(|_| kind == Kind::Block)
                    .and_then(|mut b| Meta::take(&mut b));
                scan.records = meta.map_or(scan.records, |meta| meta.first + meta.records);
                (at, scan.good) = (next, next);
            }
            Found::Damaged { next: Some(next) } => at = next,
            Found::Damaged { next: None } => {
                return Ok(Scan {
                    good: bytes.len(),
                    ..scan
                });
            }
            Found::Over | Found::Torn => return Ok(scan),
        }
    }
}
