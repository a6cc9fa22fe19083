//! One message of the feed, read strictly: a message that can't be understood is an error,
//! and the feed stops before it.

mod messages;
mod values;

pub use crate::debezium::envelope::messages::{
    BoundaryStatus, SchemaChange, TransactionBoundary, parse,
};

use crate::debezium::envelope::messages::{ChangeEnvelope, EnvelopeColumns, EnvelopeSource};
use crate::debezium::envelope::values::image;
use crate::stream::batches::ControlRow;
use crate::stream::change::{ChangeOp, RowChange, TableSchema};
use crate::stream::control_rows::ControlColumns;
use ahash::AHashMap;
use anyhow::bail;
use std::sync::Arc;

/// A change's place in its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangePlace {
    /// Position of its event in the binlog, and its row there: for good, on one server.
    pub binlog: Option<(u64, u64)>,
    /// As the connector counts, from 1 on: anew if it was stopped within the transaction.
    pub order: u64,
}

/// All that a message tells of its change's place.
#[derive(Debug)]
pub struct SourcePlace {
    pub place: ChangePlace,
    /// As `ChangePlace::order`, among the changes of its table.
    pub table_order: u64,
    pub binlog_file: Option<String>,
}

/// A message about a row.
#[derive(Debug)]
pub enum EnvelopeRow {
    Change {
        transaction: String,
        source_place: SourcePlace,
        change: RowChange,
        control_row: Option<ControlRow>,
    },
    /// The table was emptied, by the transaction of this GTID; no rows tell which went.
    Truncated { gtid: Option<String> },
    /// The connector's other messages: a row as it was when the connector first
    /// started, or the tombstone behind a delete. Not a change.
    Passed,
}

/// Reads rows. Tables are shared by all rows that have the same columns.
#[derive(Default)]
pub struct EnvelopeReader {
    tables: AHashMap<&'static str, Arc<TableSchema>>,
}

impl EnvelopeReader {
    /// A message about a row of the watched table `name`; `None` is a tombstone.
    pub fn read(
        &mut self,
        name: &'static str,
        payload: Option<&[u8]>,
    ) -> anyhow::Result<EnvelopeRow> {
        let Some(payload) = payload else {
            return Ok(EnvelopeRow::Passed);
        };
        let envelope: ChangeEnvelope = parse(payload)?;
        let op = match envelope.op.as_str() {
            "c" => ChangeOp::Insert,
            "u" => ChangeOp::Update,
            "d" => ChangeOp::Delete,
            "r" => return Ok(EnvelopeRow::Passed),
            "t" => {
                return Ok(EnvelopeRow::Truncated {
                    gtid: envelope.source.and_then(|source| source.gtid),
                });
            }
            other => bail!("operation {other:?} of table {name} is unknown"),
        };
        let (before, after) = match (op, &envelope.before, &envelope.after) {
            (ChangeOp::Insert, None, Some(after)) => (None, Some(after)),
            (ChangeOp::Update, Some(before), Some(after)) => (Some(before), Some(after)),
            (ChangeOp::Delete, Some(before), None) => (Some(before), None),
            _ => bail!(
                "a {op:?} of table {name} lacks an image of its row; set binlog_row_image = FULL"
            ),
        };
        let Some(within) = envelope.transaction else {
            bail!(
                "a change of table {name} names no transaction; set the connector's provide.transaction.metadata"
            )
        };
        let Some(columns) = after.or(before) else {
            bail!("a change of table {name} has no row")
        };
        let table = self.table(name, columns);
        let read = |columns: Option<&EnvelopeColumns>| {
            columns.map(|columns| image(&table, columns)).transpose()
        };
        let change = RowChange {
            op,
            before: read(before)?,
            after: read(after)?,
            table: Arc::clone(&table),
        };
        let control_row = ControlColumns::of(&table)?.row(&change)?;
        let source = envelope.source.as_ref();
        Ok(EnvelopeRow::Change {
            transaction: within.id,
            source_place: SourcePlace {
                place: ChangePlace {
                    binlog: source.and_then(EnvelopeSource::binlog),
                    order: within.total_order,
                },
                table_order: within.data_collection_order,
                binlog_file: source.and_then(EnvelopeSource::binlog_file),
            },
            change,
            control_row,
        })
    }

    fn table(&mut self, name: &'static str, columns: &EnvelopeColumns) -> Arc<TableSchema> {
        let known = self.tables.get(name);
        if let Some(table) = known.filter(|table| table.columns.iter().eq(columns.keys())) {
            return Arc::clone(table);
        }
        let table = Arc::new(TableSchema::new(name, columns.keys().cloned().collect()));
        self.tables.insert(name, Arc::clone(&table));
        table
    }
}
