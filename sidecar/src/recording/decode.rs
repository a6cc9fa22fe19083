//! The bytes of a block back to records.

use super::encode::{self, LONGEST_SHARED, MOST_SHARED};
use super::wire::Bytes;
use super::{Mark, Record};
use crate::change::{Change, Event, Image, Input, Op, Table, Transaction, Value};
use sluice_contract::event::BusinessEvent;
use std::sync::Arc;

/// A transaction of which the end is still to come, in a later block.
#[derive(Debug)]
pub struct Open {
    pub position: Arc<str>,
    pub changes: Vec<Arc<Change>>,
}

/// What the blocks of a recording share: tables, so that each is one and the same
/// for all rows, and a transaction that goes on.
#[derive(Debug, Default)]
pub struct Decoder {
    tables: Vec<Arc<Table>>,
    pub open: Option<Open>,
    /// Entries that a block ended, whether they are given out or not.
    pub ended: u64,
    /// Transactions of which the beginning is missing.
    pub headless: u64,
}

struct Block<'a> {
    bytes: Bytes<'a>,
    texts: Vec<&'a str>,
    tables: Vec<Arc<Table>>,
}

impl Decoder {
    /// The records of a block. `None`: it is not what version 1 writes.
    pub fn block(&mut self, bytes: &[u8]) -> Option<Vec<Record>> {
        let mut block = Block {
            bytes: Bytes(bytes),
            texts: Vec::new(),
            tables: Vec::new(),
        };
        let mut records = Vec::new();
        while !block.bytes.is_empty() {
            let kind = block.bytes.byte()?;
            if matches!(kind, encode::TRANSACTION | encode::MORE) {
                records.extend(self.transaction(&mut block, kind == encode::MORE)?);
            } else {
                records.push(block.small(kind)?);
                self.ended += 1;
            }
        }
        Some(records)
    }

    /// The inner `None`: it is not whole yet, or its beginning is missing.
    fn transaction(&mut self, block: &mut Block<'_>, goes_on: bool) -> Option<Option<Record>> {
        let position: Arc<str> = block.bytes.text()?.into();
        let open = self
            .open
            .take()
            .filter(|open| goes_on && open.position == position);
        let is_headless = goes_on && open.is_none();
        let mut changes = open.map_or_else(Vec::new, |open| open.changes);
        loop {
            match block.bytes.byte()? {
                encode::ROW => changes.push(Arc::new(block.change(&mut self.tables)?)),
                encode::OPEN => {
                    self.open = (!is_headless).then_some(Open { position, changes });
                    return Some(None);
                }
                encode::DONE => break,
                _ => return None,
            }
        }
        self.ended += 1;
        self.headless += u64::from(is_headless);
        let transaction = Transaction { position, changes };
        Some((!is_headless).then(|| Record::Input(Input::Transaction(Arc::new(transaction)))))
    }
}

impl<'a> Block<'a> {
    fn small(&mut self, kind: u8) -> Option<Record> {
        Some(match kind {
            encode::EVENT => Record::Input(Input::Event(Arc::new(self.event()?))),
            encode::WATERMARK => {
                let source = encode::source(self.bytes.byte()?)?;
                Record::Input(Input::Watermark {
                    source,
                    at_us: self.bytes.signed()?,
                })
            }
            encode::BEGIN => {
                let mid_stream = self.bytes.byte()? == 1;
                Record::Mark(Mark::Begin {
                    mid_stream,
                    rules: self.bytes.text()?.into(),
                })
            }
            encode::RULES => Record::Mark(Mark::Rules {
                hash: self.bytes.text()?.into(),
            }),
            encode::GAP => Record::Mark(Mark::Gap {
                lost: self.bytes.number()?,
            }),
            _ => return None,
        })
    }

    fn event(&mut self) -> Option<Event> {
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
        Some(Event { position, body })
    }

    fn change(&mut self, tables: &mut Vec<Arc<Table>>) -> Option<Change> {
        let table = self.table(tables)?;
        let op = [Op::Insert, Op::Update, Op::Delete]
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
        Some(Change {
            table,
            op,
            before,
            after,
        })
    }

    fn table(&mut self, tables: &mut Vec<Arc<Table>>) -> Option<Arc<Table>> {
        let at = self.bytes.size()?;
        if let Some(known) = self.tables.get(at) {
            return Some(Arc::clone(known));
        }
        let name = self.bytes.text()?.to_owned();
        let count = self.bytes.size()?;
        let columns = (0..count)
            .map(|_| self.bytes.text().map(str::to_owned))
            .collect::<Option<Vec<_>>>()?;
        let table = Table { name, columns };
        let known = tables.iter().find(|known| ***known == table).cloned();
        let table = known.unwrap_or_else(|| {
            let new = Arc::new(table);
            tables.push(Arc::clone(&new));
            new
        });
        self.tables.push(Arc::clone(&table));
        Some(table)
    }

    fn image(&mut self, before: Option<&Image>) -> Option<Image> {
        let count = self.bytes.size()?;
        // Each value takes a byte at least.
        let mut values = Vec::with_capacity(count.min(self.bytes.0.len()));
        for at in 0..count {
            values.push(match self.bytes.byte()? {
                encode::NULL => Value::Null,
                encode::INT => Value::Int(self.bytes.signed()?),
                encode::DEC => Value::Dec(self.bytes.decimal()?),
                encode::TEXT => Value::Text(self.text()?.into()),
                encode::OPAQUE => Value::Opaque,
                encode::SAME => before?.get(at)?.clone(),
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
        if text.len() <= LONGEST_SHARED && self.texts.len() < MOST_SHARED {
            self.texts.push(text);
        }
        Some(text)
    }
}
