//! Rows of a case, as people write them.

use crate::rules::testing::written_values::{CaseValues, empty_image, fill};
use crate::rules::text::row_filter::RowOp;
use crate::rules::text::tables::{self, CATALOG_TABLES, CatalogTable};
use crate::stream::change::{ChangeOp, RowChange, TableSchema};
use serde::Deserialize;
use std::sync::Arc;

/// A row: its table, what happens to it, and its images.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenRow {
    table: String,
    op: RowOp,
    before: Option<CaseValues>,
    after: Option<CaseValues>,
}

impl WrittenRow {
    /// The change that this row stands for.
    pub fn change(&self, tables: &[Arc<TableSchema>]) -> Result<RowChange, String> {
        let at = tables::find(&self.table).ok_or_else(|| {
            format!(
                "{:?} is not a watched table: {}",
                self.table,
                tables::names()
            )
        })?;
        let known = &CATALOG_TABLES[at];
        let empty = || empty_image(known);
        let (op, before, after) = match (self.op, &self.before, &self.after) {
            (RowOp::Insert, None, Some(after)) => {
                (ChangeOp::Insert, None, Some(fill(known, empty(), after)?))
            }
            (RowOp::Delete, Some(before), None) => {
                (ChangeOp::Delete, Some(fill(known, empty(), before)?), None)
            }
            (RowOp::Update, Some(before), Some(after)) => {
                let after = fill(known, empty(), after)?;
                (
                    ChangeOp::Update,
                    Some(fill(known, after.clone(), before)?),
                    Some(after),
                )
            }
            _ => {
                return Err(format!(
                    "a row of {}: insert has after, delete has before, update has both",
                    self.table
                ));
            }
        };
        Ok(RowChange {
            table: Arc::clone(&tables[at]),
            op,
            before,
            after,
        })
    }
}

/// The schema of a table of the catalogue.
pub fn table_of(known: &CatalogTable) -> Arc<TableSchema> {
    let columns = known.columns.iter().map(|(c, _)| (*c).to_owned()).collect();
    Arc::new(TableSchema::new(known.name, columns))
}
