//! The bytes of a block back to records.

use crate::recording::encode::{self, MAX_SHARED_TEXT_BYTES, MAX_SHARED_TEXTS};
use crate::recording::wire::ByteReader;
use crate::recording::{RecordingEntry, RecordingMark};
use crate::stream::change::{
    ChangeOp, ChangeTransaction, ColumnValue, ReceivedEvent, RowChange, RowImage, RuleInput,
    TableSchema,
};
use sluice_contract::event::BusinessEvent;
use std::sync::Arc;

/// A transaction of which the end is still to come, in a later block.
#[derive(Debug)]
pub struct PartialTransaction {
    pub position: Arc<str>,
    pub changes: Vec<Arc<RowChange>>,
}

/// What the blocks of a recording share: tables, so that each is one and the same
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

struct BlockDecoder<'a> {
    bytes: ByteReader<'a>,
    texts: Vec<&'a str>,
    tables: Vec<Arc<TableSchema>>,
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
            if matches!(kind, encode::TAG_TRANSACTION | encode::TAG_TRANSACTION_PART) {
                records.extend(self.transaction(&mut block, kind == encode::TAG_TRANSACTION_PART)?);
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
                encode::CHANGE_FOLLOWS => changes.push(Arc::new(block.change(&mut self.tables)?)),
                encode::CHANGES_CONTINUE => {
                    self.open = (!is_headless).then_some(PartialTransaction { position, changes });
                    return Some(None);
                }
                encode::CHANGES_END => break,
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
            encode::TAG_EVENT => RecordingEntry::Input(RuleInput::Event(Arc::new(self.event()?))),
            encode::TAG_WATERMARK => {
                let source = encode::source(self.bytes.byte()?)?;
                RecordingEntry::Input(RuleInput::Watermark {
                    source,
                    at_us: self.bytes.signed()?,
                })
            }
            encode::TAG_BEGIN => {
                let mid_stream = self.bytes.byte()? == 1;
                RecordingEntry::Mark(RecordingMark::Begin {
                    mid_stream,
                    rules: self.bytes.text()?.into(),
                })
            }
            encode::TAG_RULES => RecordingEntry::Mark(RecordingMark::Rules {
                hash: self.bytes.text()?.into(),
            }),
            encode::TAG_GAP => RecordingEntry::Mark(RecordingMark::Gap {
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
        };
        Some(ReceivedEvent { position, body })
    }

    fn change(&mut self, tables: &mut Vec<Arc<TableSchema>>) -> Option<RowChange> {
        let table = self.table(tables)?;
        let op = [ChangeOp::Insert, ChangeOp::Update, ChangeOp::Delete]
            .into_iter()
            .nth(usize::from(self.bytes.byte()?))?;
        let images = self.bytes.byte()?;
        let before = if images & 1 == 1 {
            Some(self.image(None)?)
        } else {
            None
        };
        let after = if images & 2 == 2 {
            Some(self.image(before.as_ref())?)
        } else {
            None
        };
        Some(RowChange {
            table,
            op,
            before,
            after,
        })
    }

    fn table(&mut self, tables: &mut Vec<Arc<TableSchema>>) -> Option<Arc<TableSchema>> {
        let at = self.bytes.size()?;
        if let Some(known) = self.tables.get(at) {
            return Some(Arc::clone(known));
        }
        let name = self.bytes.text()?.to_owned();
        let count = self.bytes.size()?;
        let columns = (0..count)
            .map(|_| self.bytes.text().map(str::to_owned))
            .collect::<Option<Vec<_>>>()?;
        let table = TableSchema { name, columns };
        let known = tables.iter().find(|known| ***known == table).cloned();
        let table = known.unwrap_or_else(|| {
            let new = Arc::new(table);
            tables.push(Arc::clone(&new));
            new
        });
        self.tables.push(Arc::clone(&table));
        Some(table)
    }

    fn image(&mut self, before: Option<&RowImage>) -> Option<RowImage> {
        let count = self.bytes.size()?;
        // Each value takes a byte at least.
        let mut values = Vec::with_capacity(count.min(self.bytes.0.len()));
        for at in 0..count {
            values.push(match self.bytes.byte()? {
                encode::VALUE_NULL => ColumnValue::Null,
                encode::VALUE_INT => ColumnValue::Int(self.bytes.signed()?),
                encode::VALUE_DEC => ColumnValue::Dec(self.bytes.decimal()?),
                encode::VALUE_TEXT => ColumnValue::Text(self.text()?.into()),
                encode::VALUE_OPAQUE => ColumnValue::Opaque,
                encode::VALUE_SAME => before?.get(at)?.clone(),
                _ => return None,
            });
        }
        Some(values.into_boxed_slice())
    }

    fn text(&mut self) -> Option<&'a str> {
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
