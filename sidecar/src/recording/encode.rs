//! Records to the bytes of a block. Texts that repeat within a block are written
//! once, tables are described once, an updated row's unchanged columns not at all.

use super::wire::{put_decimal, put_number, put_signed, put_text};
use super::{Mark, Record};
use crate::change::{Change, Event, Image, Input, Op, Source, Table, Value};
use ahash::AHashMap;
use sluice_contract::event::BusinessEvent;
use std::sync::Arc;

/// Longer texts hardly repeat.
pub const LONGEST_SHARED: usize = 64;
/// Texts that a block remembers; more than its size has room for repeats.
pub const MOST_SHARED: usize = 1 << 16;
/// Bytes after which a transaction goes on in the next record, so that one of two
/// million rows fits blocks like any other.
const PART: usize = 1 << 20;

pub const TRANSACTION: u8 = 1;
/// Goes on with the transaction that the record before left open.
pub const MORE: u8 = 2;
pub const EVENT: u8 = 3;
pub const WATERMARK: u8 = 4;
pub const BEGIN: u8 = 5;
pub const RULES: u8 = 6;
pub const GAP: u8 = 7;

/// Ends a transaction's changes.
pub const DONE: u8 = 0;
/// Another change follows.
pub const ROW: u8 = 1;
/// It goes on in the next record.
pub const OPEN: u8 = 2;

pub const NULL: u8 = 0;
pub const INT: u8 = 1;
pub const DEC: u8 = 2;
pub const TEXT: u8 = 3;
pub const OPAQUE: u8 = 4;
/// In an after-image: as in the before-image.
pub const SAME: u8 = 5;

/// The bytes of one block while it grows.
#[derive(Debug, Default)]
pub struct Block {
    pub bytes: Vec<u8>,
    texts: AHashMap<Box<str>, usize>,
    tables: Vec<Arc<Table>>,
}

impl Block {
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.texts.clear();
        self.tables.clear();
    }

    /// Anything but a transaction.
    pub fn small(&mut self, record: &Record) {
        match record {
            // Data at rest is no part of a stream.
            Record::Input(Input::Transaction(_) | Input::AtRest(_)) => {}
            Record::Input(Input::Event(event)) => self.event(event),
            Record::Input(Input::Watermark { source, at_us }) => {
                self.bytes.extend([WATERMARK, code(*source)]);
                put_signed(&mut self.bytes, *at_us);
            }
            Record::Mark(mark) => self.mark(mark),
        }
    }

    fn mark(&mut self, mark: &Mark) {
        match mark {
            Mark::Begin { mid_stream, rules } => {
                self.bytes.extend([BEGIN, u8::from(*mid_stream)]);
                put_text(&mut self.bytes, rules);
            }
            Mark::Rules { hash } => {
                self.bytes.push(RULES);
                put_text(&mut self.bytes, hash);
            }
            Mark::Gap { lost } => {
                self.bytes.push(GAP);
                put_number(&mut self.bytes, *lost);
            }
        }
    }

    fn event(&mut self, event: &Event) {
        let BusinessEvent {
            id,
            kind,
            account_id,
            biz_no,
            amount,
            currency,
            occurred_us,
        } = &event.body;
        self.bytes.push(EVENT);
        put_text(&mut self.bytes, &event.position);
        for text in [id, kind, account_id, biz_no, currency] {
            self.text(text);
        }
        put_decimal(&mut self.bytes, *amount);
        put_signed(&mut self.bytes, *occurred_us);
    }

    /// Writes as many of `changes` as fit a record; returns how many. If that is not
    /// all of them, the rest is to be written by another call with `goes_on`.
    pub fn transaction(&mut self, position: &str, changes: &[Arc<Change>], goes_on: bool) -> usize {
        let from = self.bytes.len();
        self.bytes.push(if goes_on { MORE } else { TRANSACTION });
        put_text(&mut self.bytes, position);
        for (at, change) in changes.iter().enumerate() {
            if self.bytes.len() - from > PART {
                self.bytes.push(OPEN);
                return at;
            }
            self.bytes.push(ROW);
            self.change(change);
        }
        self.bytes.push(DONE);
        changes.len()
    }

    fn change(&mut self, change: &Change) {
        let Change {
            table,
            op,
            before,
            after,
        } = change;
        self.table(table);
        self.bytes.push(match op {
            Op::Insert => 0,
            Op::Update => 1,
            Op::Delete => 2,
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

    fn table(&mut self, table: &Arc<Table>) {
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

    fn image(&mut self, image: &Image, before: Option<&Image>) {
        put_number(&mut self.bytes, image.len() as u64);
        for (at, value) in image.iter().enumerate() {
            match value {
                // Two decimals can be equal and yet differ in trailing zeros.
                value
                    if before
                        .and_then(|b| b.get(at))
                        .is_some_and(|old| is_same(old, value)) =>
                {
                    self.bytes.push(SAME)
                }
                Value::Null => self.bytes.push(NULL),
                Value::Int(number) => {
                    self.bytes.push(INT);
                    put_signed(&mut self.bytes, *number);
                }
                Value::Dec(number) => {
                    self.bytes.push(DEC);
                    put_decimal(&mut self.bytes, *number);
                }
                Value::Text(text) => {
                    self.bytes.push(TEXT);
                    self.text(text);
                }
                Value::Opaque => self.bytes.push(OPAQUE),
            }
        }
    }

    /// Even: a text that came before. Odd: the length of one that follows.
    fn text(&mut self, text: &str) {
        if text.len() <= LONGEST_SHARED {
            if let Some(known) = self.texts.get(text) {
                return put_number(&mut self.bytes, (*known as u64) << 1);
            }
            if self.texts.len() < MOST_SHARED {
                self.texts.insert(text.into(), self.texts.len());
            }
        }
        put_number(&mut self.bytes, (text.len() as u64) << 1 | 1);
        self.bytes.extend_from_slice(text.as_bytes());
    }
}

fn is_same(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Dec(old), Value::Dec(new)) => old.serialize() == new.serialize(),
        // One byte says them as well.
        (Value::Null | Value::Opaque, _) => false,
        (old, new) => old == new,
    }
}

fn code(source: Source) -> u8 {
    match source {
        Source::Binlog => 0,
        Source::Kafka => 1,
    }
}

pub fn source(code: u8) -> Option<Source> {
    [Source::Binlog, Source::Kafka]
        .into_iter()
        .find(|source| self::code(*source) == code)
}
