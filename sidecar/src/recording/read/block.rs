//! One block: decompressed, checked against its header, decoded.

use crate::recording::format::block_header::BlockHeader;
use crate::recording::format::entry::{FORMAT_VERSION, RecordingEntry, RecordingMark};
use crate::recording::read::RecordingReader;
use crate::stream::wire::ByteReader;
use anyhow::bail;

/// Bytes of a block at most once it is decompressed: a row as large as any server
/// takes, and what was before it.
const MAX_RAW_BLOCK_BYTES: u64 = 1 << 30;

impl RecordingReader {
    /// Decodes a block's records, after what its number says is missing before it.
    pub(super) fn decode(
        &mut self,
        body: &[u8],
        place: &str,
    ) -> anyhow::Result<Option<Vec<RecordingEntry>>> {
        let mut bytes = ByteReader(body);
        let meta = BlockHeader::take(&mut bytes).filter(|meta| meta.raw <= MAX_RAW_BLOCK_BYTES);
        let raw = meta
            .as_ref()
            .and_then(|meta| zstd::bulk::decompress(bytes.0, usize::try_from(meta.raw).ok()?).ok());
        let (Some(meta), Some(raw)) = (meta, raw) else {
            bail!(
                "{place}: its checksum is right, but it is no block of version {}",
                FORMAT_VERSION
            )
        };
        let mut all = Vec::new();
        let next = self.next.unwrap_or(meta.first);
        if meta.first < next {
            bail!(
                "{place}: record {} comes again after {next}; are segments of two recordings mixed?",
                meta.first
            );
        }
        if meta.first > next {
            let lost = meta.first - next;
            self.notes
                .push(format!("{lost} records are missing before {place}"));
            all.push(RecordingEntry::Mark(RecordingMark::Gap { lost }));
        }
        let ended = self.decoder.ended;
        let records = self.decoder.block(&raw);
        let Some(records) = records.filter(|_| self.decoder.ended - ended == meta.records) else {
            bail!(
                "{place}: its checksum is right, but its records are not of version {}",
                FORMAT_VERSION
            )
        };
        self.next = Some(meta.first + meta.records);
        if std::mem::take(&mut self.decoder.headless) > 0 {
            self.notes.push(format!(
                "{place}: the transaction that goes on here has lost its beginning"
            ));
            all.push(RecordingEntry::Mark(RecordingMark::Gap { lost: 1 }));
        }
        all.extend(records);
        Ok(Some(all))
    }
}
