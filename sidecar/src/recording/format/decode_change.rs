//! Bytes to row changes. `None`: they are not what version 1 writes.

use crate::recording::format::decode::BlockDecoder;
use crate::recording::format::tags;
use crate::stream::change::{ChangeOp, ColumnValue, RowChange, RowImage, TableSchema};
use std::sync::Arc;

impl BlockDecoder<'_> {
    pub(super) fn change(&mut self, tables: &mut Vec<Arc<TableSchema>>) -> Option<RowChange> {
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
        let table = TableSchema::new(name, columns);
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
                tags::VALUE_NULL => ColumnValue::Null,
                tags::VALUE_INT => ColumnValue::Int(self.bytes.signed()?),
                tags::VALUE_DEC => ColumnValue::Dec(self.bytes.decimal()?),
                tags::VALUE_TEXT => ColumnValue::Text(self.text()?.into()),
                tags::VALUE_OPAQUE => ColumnValue::Opaque,
                tags::VALUE_SAME => before?.get(at)?.clone(),
                _ => return None,
            });
        }
        Some(values.into_boxed_slice())
    }
}
