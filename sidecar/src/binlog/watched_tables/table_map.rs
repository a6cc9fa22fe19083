//! Table maps: how rows of a watched table are read, as its server describes it now.

use crate::binlog::row_image::{self, ColumnFormat};
use crate::stream::batches::ControlRow;
use crate::stream::change::{RowChange, RowImage, TableSchema};
use crate::stream::control_rows::ControlColumns;
use ahash::AHashMap;
use anyhow::Context;
use mysql_async::binlog::events::TableMapEvent;
use std::sync::Arc;

/// Table ids remembered; each DDL makes a new one, so the memory is bounded by
/// forgetting all of them, which costs one parse each.
const MAX_TABLE_IDS: usize = 4096;

/// Reads rows of one watched table.
#[derive(Debug)]
pub struct TableReadPlan {
    pub table: Arc<TableSchema>,
    pub columns: Vec<ColumnFormat>,
    control: ControlColumns,
}

/// The way in which rows of a table id are read.
#[derive(Debug, Clone)]
pub enum TablePlan {
    /// Nobody watches the table.
    Unwatched,
    Read(Arc<TableReadPlan>),
    /// A watched table whose map can't be read by: its rows change unseen. The reason.
    Unreadable(Arc<str>),
}

struct KnownTableMap {
    body: Vec<u8>,
    plan: TablePlan,
}

/// Table maps by the ids that the server gave them.
#[derive(Default)]
pub struct KnownTableMaps(AHashMap<u64, KnownTableMap>);

impl KnownTableMaps {
    /// Learns a table map. `body` is the event's; an unchanged one is not parsed again.
    /// `watched` gives the logical name of a watched table by its schema and name.
    pub fn learn(
        &mut self,
        body: &[u8],
        parse: impl FnOnce() -> std::io::Result<TableMapEvent<'static>>,
        watched: impl FnOnce(&str, &str) -> Option<&'static str>,
    ) -> anyhow::Result<()> {
        let id = table_id(body).context("a table map is cut short")?;
        if self.0.get(&id).is_some_and(|known| known.body == body) {
            return Ok(());
        }
        if self.0.len() >= MAX_TABLE_IDS {
            self.0.clear();
        }
        let plan = match parse() {
            Ok(map) => match watched(&map.database_name(), &map.table_name()) {
                Some(name) => TableReadPlan::of(name, &map)
                    .map(|plan| TablePlan::Read(Arc::new(plan)))
                    .unwrap_or_else(|error| unreadable(name, &error)),
                None => TablePlan::Unwatched,
            },
            // A table of others may have what this build has never heard of.
            Err(error) => {
                let (schema, table) = names(body).context("a table map is cut short")?;
                match watched(&schema, &table) {
                    Some(name) => unreadable(name, &error.into()),
                    None => TablePlan::Unwatched,
                }
            }
        };
        let body = body.to_vec();
        self.0.insert(id, KnownTableMap { body, plan });
        Ok(())
    }

    /// The plan of this table id; `None` if it is not known.
    pub fn plan(&self, table_id: u64) -> Option<TablePlan> {
        self.0.get(&table_id).map(|known| known.plan.clone())
    }
}

/// The table id at the beginning of a table map or rows event.
pub fn table_id(body: &[u8]) -> Option<u64> {
    let id = body.get(..6)?;
    Some(id.iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte)))
}

/// Schema and table of a table map: behind its id and flags, each with its length before it
/// and a zero after.
fn names(body: &[u8]) -> Option<(String, String)> {
    let one = |rest: &[u8]| {
        let (length, rest) = rest.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let name = String::from_utf8_lossy(name).into_owned();
        Some((name, rest.get(1..)?.to_vec()))
    };
    let (schema, rest) = one(body.get(8..)?)?;
    let (table, _) = one(&rest)?;
    Some((schema, table))
}

fn unreadable(name: &str, error: &anyhow::Error) -> TablePlan {
    TablePlan::Unreadable(format!("{name}: {error:#}").into())
}

impl TableReadPlan {
    /// # Errors
    /// A column that can't be decoded, or a control table that lacks one of its columns.
    fn of(name: &str, map: &TableMapEvent<'_>) -> anyhow::Result<Self> {
        let (names, columns) = row_image::columns(map)?;
        let table = TableSchema::new(name, names);
        Ok(TableReadPlan {
            control: ControlColumns::of(&table)?,
            table: Arc::new(table),
            columns,
        })
    }

    /// Takes one image off the front of `data`.
    ///
    /// # Errors
    /// Bytes that don't fit the table.
    pub fn image(&self, data: &mut &[u8]) -> anyhow::Result<RowImage> {
        row_image::image(&self.columns, data).ok_or_else(|| {
            anyhow::anyhow!(
                "a row of table {} does not fit its table map",
                self.table.name
            )
        })
    }

    /// The control row that this change is, if it is one. One whose values are of another
    /// kind than its columns is none.
    pub fn control_row(&self, change: &RowChange) -> Option<ControlRow> {
        self.control.row(change).ok().flatten()
    }
}
