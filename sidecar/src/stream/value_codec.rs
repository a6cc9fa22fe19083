//! Values, rows and events as bytes, for state that outlives the process.

use crate::stream::change::{ChangeOp, ColumnValue, ReceivedEvent, RowChange, TableSchema};
use crate::stream::wire::{ByteReader, put_decimal, put_number, put_signed, put_text};
use sluice_contract::event::BusinessEvent;
use std::sync::Arc;

const NULL_CODE: u8 = 0;
const INT_CODE: u8 = 1;
const DEC_CODE: u8 = 2;
const TEXT_CODE: u8 = 3;
const OPAQUE_CODE: u8 = 4;

/// Appends a value.
pub fn put_value(out: &mut Vec<u8>, value: &ColumnValue) {
    match value {
        ColumnValue::Null => out.push(NULL_CODE),
        ColumnValue::Int(number) => {
            out.push(INT_CODE);
            put_signed(out, *number);
        }
        ColumnValue::Dec(number) => {
            out.push(DEC_CODE);
            put_decimal(out, *number);
        }
        ColumnValue::Text(text) => {
            out.push(TEXT_CODE);
            put_text(out, text);
        }
        ColumnValue::Opaque => out.push(OPAQUE_CODE),
    }
}

/// Appends a number that may be absent.
pub fn put_maybe(out: &mut Vec<u8>, number: Option<i64>) {
    out.push(u8::from(number.is_some()));
    number
        .into_iter()
        .for_each(|number| put_signed(out, number));
}

/// Appends a text that may be absent.
pub fn put_maybe_text(out: &mut Vec<u8>, text: Option<&str>) {
    out.push(u8::from(text.is_some()));
    text.into_iter().for_each(|text| put_text(out, text));
}

/// Positions and tables of one frame: each is written once where it repeats.
#[derive(Debug, Default)]
pub struct FrameNames {
    position: Option<Arc<str>>,
    tables: Vec<Arc<TableSchema>>,
}

impl FrameNames {
    /// Appends a position; the same as the one before takes a byte.
    pub fn put_position(&mut self, out: &mut Vec<u8>, position: &Arc<str>) {
        let same = self.position.as_ref() == Some(position);
        out.push(u8::from(!same));
        if !same {
            put_text(out, position);
            self.position = Some(Arc::clone(position));
        }
    }

    /// Reads what [`FrameNames::put_position`] wrote.
    pub fn position(&mut self, bytes: &mut ByteReader<'_>) -> Option<Arc<str>> {
        if bytes.byte()? == 1 {
            self.position = Some(bytes.text()?.into());
        }
        self.position.clone()
    }

    /// Appends a row.
    pub fn put_row(&mut self, out: &mut Vec<u8>, row: &RowChange) {
        let known = self
            .tables
            .iter()
            .position(|known| Arc::ptr_eq(known, &row.table) || **known == *row.table);
        put_number(out, known.unwrap_or(self.tables.len()) as u64);
        if known.is_none() {
            put_text(out, &row.table.name);
            put_number(out, row.table.columns.len() as u64);
            row.table.columns.iter().for_each(|c| put_text(out, c));
            self.tables.push(Arc::clone(&row.table));
        }
        out.push(match row.op {
            ChangeOp::Insert => 0,
            ChangeOp::Update => 1,
            ChangeOp::Delete => 2,
        });
        for image in [&row.before, &row.after] {
            // 0: there is none.
            put_number(
                out,
                image.as_ref().map_or(0, |image| image.len() as u64 + 1),
            );
            image
                .iter()
                .flatten()
                .for_each(|value| put_value(out, value));
        }
    }

    /// Reads what [`FrameNames::put_row`] wrote; equal tables of `all` frames are shared.
    pub fn row(
        &mut self,
        bytes: &mut ByteReader<'_>,
        all: &mut Vec<Arc<TableSchema>>,
    ) -> Option<RowChange> {
        let at = bytes.size()?;
        if at == self.tables.len() {
            let name = bytes.text()?.to_owned();
            let count = bytes.size()?;
            let columns = (0..count).map(|_| bytes.text().map(str::to_owned));
            let columns = columns.collect::<Option<Vec<_>>>()?;
            self.tables
                .push(shared_table(all, TableSchema { name, columns }));
        }
        let table = Arc::clone(self.tables.get(at)?);
        let op = [ChangeOp::Insert, ChangeOp::Update, ChangeOp::Delete];
        let op = op.into_iter().nth(usize::from(bytes.byte()?))?;
        let mut images = [None, None];
        for image in &mut images {
            if let Some(count) = bytes.size()?.checked_sub(1) {
                let values = (0..count).map(|_| bytes.value());
                *image = Some(values.collect::<Option<Box<[_]>>>()?);
            }
        }
        let [before, after] = images;
        Some(RowChange {
            table,
            op,
            before,
            after,
        })
    }
}

fn shared_table(all: &mut Vec<Arc<TableSchema>>, table: TableSchema) -> Arc<TableSchema> {
    if let Some(known) = all.iter().find(|known| ***known == table) {
        return Arc::clone(known);
    }
    let new = Arc::new(table);
    all.push(Arc::clone(&new));
    new
}

/// Appends an event.
pub fn put_event(out: &mut Vec<u8>, event: &ReceivedEvent) {
    let BusinessEvent {
        id,
        kind,
        account_id,
        biz_no,
        amount,
        currency,
        occurred_us,
        payer_account_id,
        client,
    } = &event.body;
    put_text(out, &event.position);
    for text in [id, kind, account_id, biz_no, currency] {
        put_text(out, text);
    }
    put_decimal(out, *amount);
    put_signed(out, *occurred_us);
    put_maybe_text(out, payer_account_id.as_deref());
    put_maybe_text(out, client.as_deref());
}

impl<'a> ByteReader<'a> {
    /// Reads what [`put_value`] wrote.
    pub fn value(&mut self) -> Option<ColumnValue> {
        Some(match self.byte()? {
            NULL_CODE => ColumnValue::Null,
            INT_CODE => ColumnValue::Int(self.signed()?),
            DEC_CODE => ColumnValue::Dec(self.decimal()?),
            TEXT_CODE => ColumnValue::Text(self.text()?.into()),
            OPAQUE_CODE => ColumnValue::Opaque,
            _ => return None,
        })
    }

    /// Reads what [`put_maybe`] wrote.
    pub fn maybe(&mut self) -> Option<Option<i64>> {
        Some(match self.byte()? {
            0 => None,
            _ => Some(self.signed()?),
        })
    }

    /// Reads what [`put_maybe_text`] wrote.
    pub fn maybe_text(&mut self) -> Option<Option<&'a str>> {
        Some(match self.byte()? {
            0 => None,
            _ => Some(self.text()?),
        })
    }

    /// Reads a yes or no.
    pub fn flag(&mut self) -> Option<bool> {
        Some(self.byte()? != 0)
    }

    /// Reads what [`put_event`] wrote.
    pub fn event(&mut self) -> Option<ReceivedEvent> {
        let position = self.text()?.into();
        let mut text = || self.text().map(str::to_owned);
        let (id, kind, account_id) = (text()?, text()?, text()?);
        let (biz_no, currency) = (text()?, text()?);
        let body = BusinessEvent {
            id,
            kind,
            account_id,
            biz_no,
            currency,
            amount: self.decimal()?,
            occurred_us: self.signed()?,
            payer_account_id: self.maybe_text()?.map(str::to_owned),
            client: self.maybe_text()?.map(str::to_owned),
        };
        Some(ReceivedEvent { position, body })
    }
}
