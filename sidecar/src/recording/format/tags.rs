//! Tags: the bytes that say what follows, in one list for encoder and decoder.

use crate::stream::change::SourceKind;

/// Longer texts hardly repeat.
pub const MAX_SHARED_TEXT_BYTES: usize = 64;
/// Texts that a block remembers; more than its size has room for repeats.
pub const MAX_SHARED_TEXTS: usize = 1 << 16;
/// A transaction; the other tags are of one record each.
pub const TAG_TRANSACTION: u8 = 1;
/// Goes on with the transaction that the record before left open.
pub const TAG_TRANSACTION_PART: u8 = 2;
pub const TAG_EVENT: u8 = 3;
pub const TAG_WATERMARK: u8 = 4;
pub const TAG_BEGIN: u8 = 5;
pub const TAG_RULES: u8 = 6;
pub const TAG_GAP: u8 = 7;
/// An event that names a client, which follows it.
pub const TAG_CLIENT_EVENT: u8 = 8;

/// Ends a transaction's changes.
pub const CHANGES_END: u8 = 0;
/// Another change follows.
pub const CHANGE_FOLLOWS: u8 = 1;
/// The transaction goes on in the next record.
pub const CHANGES_CONTINUE: u8 = 2;

pub const VALUE_NULL: u8 = 0;
pub const VALUE_INT: u8 = 1;
pub const VALUE_DEC: u8 = 2;
pub const VALUE_TEXT: u8 = 3;
pub const VALUE_OPAQUE: u8 = 4;
/// In an after-image: as in the before-image.
pub const VALUE_SAME: u8 = 5;

/// The byte of a source.
pub fn source_code(source: SourceKind) -> u8 {
    match source {
        SourceKind::Binlog => 0,
        SourceKind::Kafka => 1,
    }
}

/// The source of a byte.
pub fn source(code: u8) -> Option<SourceKind> {
    [SourceKind::Binlog, SourceKind::Kafka]
        .into_iter()
        .find(|source| source_code(*source) == code)
}
