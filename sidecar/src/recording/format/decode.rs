//! The bytes of a block back to records.

use crate::recording::format::entry::{RecordingEntry, RecordingMark};
use crate::recording::format::tags::{self, MAX_SHARED_TEXT_BYTES, MAX_SHARED_TEXTS};
use crate::stream::change::{ChangeTransaction, ReceivedEvent, RowChange, RuleInput, TableSchema};
use crate::stream::wire::ByteReader;
use sluice_contract::event::BusinessEvent;
use std::sync::Arc;

/// A transaction of which the end is still to come, in a later block.
#[derive(Debug)]
pub struct PartialTransaction {
    pub position: Arc<str>,
    pub changes: Vec<Arc<RowChange>>,
}

/// The state that a recording's blocks share: tables, so that each is one and the same
/// for all rows, and a transaction that goes on.
#[derive(Debug, Default)]
pub struct RecordingDecoder {
    tables: Vec<Arc<TableSchema>>,
    pub open: Option<PartialTransaction>,
    /// Entries that a block ended, whether they are given out or not.
    pub ended: u64,
    /// Transactions of which the beginning is missing.
    pub headless: u64,
}

/// One block's bytes, and what they share.
pub struct BlockDecoder<'a> {
    pub bytes: ByteReader<'a>,
    texts: Vec<&'a str>,
    pub tables: Vec<Arc<TableSchema>>,
}

impl RecordingDecoder {
    /// The records of a block. `None`: it is not what version 1 writes.
    pub fn block(&mut self, bytes: &[u8]) -> Option<Vec<RecordingEntry>> {
        let mut block = BlockDecoder {
            bytes: ByteReader(bytes),
            texts: Vec::new(),
            tables: Vec::new(),
        };
        let mut records = Vec::new();
        while !block.bytes.is_empty() {
            let kind = block.bytes.byte()?;
            if matches!(kind, tags::TAG_TRANSACTION | tags::TAG_TRANSACTION_PART) {
                records.extend(self.transaction(&mut block, kind == tags::TAG_TRANSACTION_PART)?);
            } else {
                records.push(block.small(kind)?);
                self.ended += 1;
            }
        }
        Some(records)
    }

    /// The inner `None`: it is not whole yet, or its beginning is missing.
    fn transaction(
        &mut self,
        block: &mut BlockDecoder<'_>,
        goes_on: bool,
    ) -> Option<Option<RecordingEntry>> {
        let position: Arc<str> = block.bytes.text()?.into();
        let open = self
            .open
            .take()
            .filter(|open| goes_on && open.position == position);
        let is_headless = goes_on && open.is_none();
        let mut changes = open.map_or_else(Vec::new, |open| open.changes);
        loop {
            match block.bytes.byte()? {
                tags::CHANGE_FOLLOWS => changes.push(Arc::new(block.change(&mut self.tables)?)),
                tags::CHANGES_CONTINUE => {
                    self.open = (!is_headless).then_some(PartialTransaction { position, changes });
                    return Some(None);
                }
                tags::CHANGES_END => break,
                _ => return None,
            }
        }
        self.ended += 1;
        self.headless += u64::from(is_headless);
        let transaction = ChangeTransaction { position, changes };
        Some(
            (!is_headless)
                .then(|| RecordingEntry::Input(RuleInput::Transaction(Arc::new(transaction)))),
        )
    }
}

impl<'a> BlockDecoder<'a> {
    fn small(&mut self, kind: u8) -> Option<RecordingEntry> {
        Some(match kind {
            tags::TAG_EVENT => RecordingEntry::Input(RuleInput::Event(Arc::new(self.event()?))),
            tags::TAG_CLIENT_EVENT => {
                let mut event = self.event()?;
                event.body.client = Some(self.text()?.to_owned());
                RecordingEntry::Input(RuleInput::Event(Arc::new(event)))
            }
            tags::TAG_WATERMARK => {
                let source = tags::source(self.bytes.byte()?)?;
                RecordingEntry::Input(RuleInput::Watermark {
                    source,
                    at_us: self.bytes.signed()?,
                })
            }
            tags::TAG_BEGIN => {
                let mid_stream = self.bytes.byte()? == 1;
                RecordingEntry::Mark(RecordingMark::Begin {
                    mid_stream,
                    rules: self.bytes.text()?.into(),
                })
            }
            tags::TAG_RULES => RecordingEntry::Mark(RecordingMark::Rules {
                hash: self.bytes.text()?.into(),
            }),
            tags::TAG_GAP => RecordingEntry::Mark(RecordingMark::Gap {
                lost: self.bytes.number()?,
            }),
            _ => return None,
        })
    }

    fn event(&mut self) -> Option<ReceivedEvent> {
        let position = self.bytes.text()?.into();
        let mut text = || self.text().map(str::to_owned);
        let (id, kind, account_id, biz_no, currency) =
            (text()?, text()?, text()?, text()?, text()?);
        let (amount, occurred_us) = (self.bytes.decimal()?, self.bytes.signed()?);
        let body = BusinessEvent {
            id,
            kind,
            account_id,
            biz_no,
            amount,
            currency,
            occurred_us,
            payer_account_id: None,
            client: None,
        };
        Some(ReceivedEvent { position, body })
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let number = self.bytes.size()?;
        if number & 1 == 0 {
            return self.texts.get(number >> 1).copied();
        }
        let text = std::str::from_utf8(self.bytes.take(number >> 1)?).ok()?;
        if text.len() <= MAX_SHARED_TEXT_BYTES && self.texts.len() < MAX_SHARED_TEXTS {
            self.texts.push(text);
        }
        Some(text)
    }
}
