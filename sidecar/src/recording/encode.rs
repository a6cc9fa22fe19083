//! Records to the bytes of a block. Texts that repeat within a block are written
//! once, tables are described once, an updated row's unchanged columns not at all.

use crate::recording::wire::{put_decimal, put_number, put_signed, put_text};
use crate::recording::{RecordingEntry, RecordingMark};
use crate::stream::change::{
    ChangeOp, ColumnValue, ReceivedEvent, RowChange, RowImage, RuleInput, SourceKind, TableSchema,
};
use ahash::AHashMap;
use sluice_contract::event::BusinessEvent;
use std::sync::Arc;

/// Longer texts hardly repeat.
pub const MAX_SHARED_TEXT_BYTES: usize = 64;
/// Texts that a block remembers; more than its size has room for repeats.
pub const MAX_SHARED_TEXTS: usize = 1 << 16;
/// Bytes after which a transaction goes on in the next record, so that one of two
/// million rows fits blocks like any other.
const MAX_TRANSACTION_PART_BYTES: usize = 1 << 20;

pub const TAG_TRANSACTION: u8 = 1;
/// Goes on with the transaction that the record before left open.
pub const TAG_TRANSACTION_PART: u8 = 2;
pub const TAG_EVENT: u8 = 3;
pub const TAG_WATERMARK: u8 = 4;
pub const TAG_BEGIN: u8 = 5;
pub const TAG_RULES: u8 = 6;
pub const TAG_GAP: u8 = 7;

/// Ends a transaction's changes.
pub const CHANGES_END: u8 = 0;
/// Another change follows.
pub const CHANGE_FOLLOWS: u8 = 1;
/// It goes on in the next record.
pub const CHANGES_CONTINUE: u8 = 2;

pub const VALUE_NULL: u8 = 0;
pub const VALUE_INT: u8 = 1;
pub const VALUE_DEC: u8 = 2;
pub const VALUE_TEXT: u8 = 3;
pub const VALUE_OPAQUE: u8 = 4;
/// In an after-image: as in the before-image.
pub const VALUE_SAME: u8 = 5;

/// The bytes of one block while it grows.
#[derive(Debug, Default)]
pub struct BlockEncoder {
    pub bytes: Vec<u8>,
    texts: AHashMap<Box<str>, usize>,
    tables: Vec<Arc<TableSchema>>,
}

impl BlockEncoder {
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.texts.clear();
        self.tables.clear();
    }

    /// Anything but a transaction.
    pub fn small(&mut self, record: &RecordingEntry) {
        match record {
            // Data at rest is no part of a stream.
            RecordingEntry::Input(RuleInput::Transaction(_) | RuleInput::AtRest(_)) => {}
            RecordingEntry::Input(RuleInput::Event(event)) => self.event(event),
            RecordingEntry::Input(RuleInput::Watermark { source, at_us }) => {
                self.bytes.extend([TAG_WATERMARK, code(*source)]);
                put_signed(&mut self.bytes, *at_us);
            }
            RecordingEntry::Mark(mark) => self.mark(mark),
        }
    }

    fn mark(&mut self, mark: &RecordingMark) {
        match mark {
            RecordingMark::Begin { mid_stream, rules } => {
                self.bytes.extend([TAG_BEGIN, u8::from(*mid_stream)]);
                put_text(&mut self.bytes, rules);
            }
            RecordingMark::Rules { hash } => {
                self.bytes.push(TAG_RULES);
                put_text(&mut self.bytes, hash);
            }
            RecordingMark::Gap { lost } => {
                self.bytes.push(TAG_GAP);
                put_number(&mut self.bytes, *lost);
            }
        }
    }

    fn event(&mut self, event: &ReceivedEvent) {
        let BusinessEvent {
            id,
            kind,
            account_id,
            biz_no,
            amount,
            currency,
            occurred_us,
        } = &event.body;
        self.bytes.push(TAG_EVENT);
        put_text(&mut self.bytes, &event.position);
        for text in [id, kind, account_id, biz_no, currency] {
            self.text(text);
        }
        put_decimal(&mut self.bytes, *amount);
        put_signed(&mut self.bytes, *occurred_us);
    }

    /// Writes as many of `changes` as fit a record; returns how many. If that is not
    /// all of them, the rest is to be written by another call with `goes_on`.
    pub fn transaction(
        &mut self,
        position: &str,
        changes: &[Arc<RowChange>],
        goes_on: bool,
    ) -> usize {
        let from = self.bytes.len();
        self.bytes.push(if goes_on {
            TAG_TRANSACTION_PART
        } else {
            TAG_TRANSACTION
        });
        put_text(&mut self.bytes, position);
        for (at, change) in changes.iter().enumerate() {
            if self.bytes.len() - from > MAX_TRANSACTION_PART_BYTES {
                self.bytes.push(CHANGES_CONTINUE);
                return at;
            }
            self.bytes.push(CHANGE_FOLLOWS);
            self.change(change);
        }
        self.bytes.push(CHANGES_END);
        changes.len()
    }

    fn change(&mut self, change: &RowChange) {
        let RowChange {
            table,
            op,
            before,
            after,
        } = change;
        self.table(table);
        self.bytes.push(match op {
            ChangeOp::Insert => 0,
            ChangeOp::Update => 1,
            ChangeOp::Delete => 2,
        });
        let images = u8::from(before.is_some()) | u8::from(after.is_some()) << 1;
        self.bytes.push(images);
        if let Some(before) = before {
            self.image(before, None);
        }
        if let Some(after) = after {
            self.image(after, before.as_ref());
        }
    }

    fn table(&mut self, table: &Arc<TableSchema>) {
        let known = self
            .tables
            .iter()
            .position(|known| Arc::ptr_eq(known, table) || **known == **table);
        put_number(&mut self.bytes, known.unwrap_or(self.tables.len()) as u64);
        if known.is_none() {
            put_text(&mut self.bytes, &table.name);
            put_number(&mut self.bytes, table.columns.len() as u64);
            table
                .columns
                .iter()
                .for_each(|column| put_text(&mut self.bytes, column));
            self.tables.push(Arc::clone(table));
        }
    }

    fn image(&mut self, image: &RowImage, before: Option<&RowImage>) {
        put_number(&mut self.bytes, image.len() as u64);
        for (at, value) in image.iter().enumerate() {
            match value {
                // Two decimals can be equal and yet differ in trailing zeros.
                value
                    if before
                        .and_then(|b| b.get(at))
                        .is_some_and(|old| is_same(old, value)) =>
                {
                    self.bytes.push(VALUE_SAME)
                }
                ColumnValue::Null => self.bytes.push(VALUE_NULL),
                ColumnValue::Int(number) => {
                    self.bytes.push(VALUE_INT);
                    put_signed(&mut self.bytes, *number);
                }
                ColumnValue::Dec(number) => {
                    self.bytes.push(VALUE_DEC);
                    put_decimal(&mut self.bytes, *number);
                }
                ColumnValue::Text(text) => {
                    self.bytes.push(VALUE_TEXT);
                    self.text(text);
                }
                ColumnValue::Opaque => self.bytes.push(VALUE_OPAQUE),
            }
        }
    }

    /// Even: a text that came before. Odd: the length of one that follows.
    fn text(&mut self, text: &str) {
        if text.len() <= MAX_SHARED_TEXT_BYTES {
            if let Some(known) = self.texts.get(text) {
                return put_number(&mut self.bytes, (*known as u64) << 1);
            }
            if self.texts.len() < MAX_SHARED_TEXTS {
                self.texts.insert(text.into(), self.texts.len());
            }
        }
        put_number(&mut self.bytes, (text.len() as u64) << 1 | 1);
        self.bytes.extend_from_slice(text.as_bytes());
    }
}

fn is_same(old: &ColumnValue, new: &ColumnValue) -> bool {
    match (old, new) {
        (ColumnValue::Dec(old), ColumnValue::Dec(new)) => old.serialize() == new.serialize(),
        // One byte says them as well.
        (ColumnValue::Null | ColumnValue::Opaque, _) => false,
        (old, new) => old == new,
    }
}

fn code(source: SourceKind) -> u8 {
    match source {
        SourceKind::Binlog => 0,
        SourceKind::Kafka => 1,
    }
}

pub fn source(code: u8) -> Option<SourceKind> {
    [SourceKind::Binlog, SourceKind::Kafka]
        .into_iter()
        .find(|source| self::code(*source) == code)
}
