//! Row changes to bytes.

use crate::recording::format::encode::BlockEncoder;
use crate::recording::format::tags::{
    VALUE_DEC, VALUE_INT, VALUE_NULL, VALUE_OPAQUE, VALUE_SAME, VALUE_TEXT,
};
use crate::stream::change::{ChangeOp, ColumnValue, RowChange, RowImage, TableSchema};
use crate::stream::wire::{put_decimal, put_number, put_signed, put_text};
use std::sync::Arc;

impl BlockEncoder {
    pub(super) fn change(&mut self, change: &RowChange) {
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
}

fn is_same(old: &ColumnValue, new: &ColumnValue) -> bool {
    match (old, new) {
        (ColumnValue::Dec(old), ColumnValue::Dec(new)) => old.serialize() == new.serialize(),
        // One byte says them as well.
        (ColumnValue::Null | ColumnValue::Opaque, _) => false,
        (old, new) => old == new,
    }
}
