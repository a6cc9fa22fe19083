//! Records to the bytes of a block. Texts that repeat within a block are written
//! once, tables are described once, an updated row's unchanged columns not at all.

use crate::recording::format::entry::{RecordingEntry, RecordingMark};
use crate::recording::format::tags::{
    self, CHANGE_FOLLOWS, CHANGES_CONTINUE, CHANGES_END, MAX_SHARED_TEXT_BYTES, MAX_SHARED_TEXTS,
    TAG_BEGIN, TAG_CLIENT_EVENT, TAG_EVENT, TAG_GAP, TAG_RULES, TAG_TRANSACTION,
    TAG_TRANSACTION_PART, TAG_WATERMARK,
};
use crate::stream::change::{ReceivedEvent, RowChange, RuleInput, TableSchema};
use crate::stream::wire::{put_decimal, put_number, put_signed, put_text};
use ahash::AHashMap;
use sluice_contract::event::BusinessEvent;
use std::sync::Arc;

/// Bytes after which a transaction goes on in the next record, so that one of two
/// million rows fits blocks like any other.
const MAX_TRANSACTION_PART_BYTES: usize = 1 << 20;

/// The bytes of one block while it grows.
#[derive(Debug, Default)]
pub struct BlockEncoder {
    pub bytes: Vec<u8>,
    pub(super) texts: AHashMap<Box<str>, usize>,
    pub(super) tables: Vec<Arc<TableSchema>>,
}

impl BlockEncoder {
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.texts.clear();
        self.tables.clear();
    }

    /// Writes anything but a transaction.
    pub fn small(&mut self, record: &RecordingEntry) {
        match record {
            // Data at rest is no part of a stream.
            RecordingEntry::Input(RuleInput::Transaction(_) | RuleInput::AtRest(_)) => {}
            RecordingEntry::Input(RuleInput::Event(event)) => self.event(event),
            RecordingEntry::Input(RuleInput::Watermark { source, at_us }) => {
                self.bytes
                    .extend([TAG_WATERMARK, tags::source_code(*source)]);
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
            payer_account_id: _,
            client,
        } = &event.body;
        self.bytes.push(match client {
            Some(_) => TAG_CLIENT_EVENT,
            None => TAG_EVENT,
        });
        put_text(&mut self.bytes, &event.position);
        for text in [id, kind, account_id, biz_no, currency] {
            self.text(text);
        }
        put_decimal(&mut self.bytes, *amount);
        put_signed(&mut self.bytes, *occurred_us);
        if let Some(client) = client {
            self.text(client);
        }
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

    /// Writes an even number for a text that came before, an odd one for the length of one that
    /// follows.
    pub(super) fn text(&mut self, text: &str) {
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
