//! Signed tables and their columns, found in a binlog's tables.

use crate::stream::change::{ColumnValue, RowChange, RowImage, TableSchema};
use sluice_contract::provenance::{EffectTable, MAX_EFFECT_COLUMNS, effect_table};
use std::sync::Arc;

/// The signed columns of one table of this binlog.
pub struct SignedColumns<'a> {
    pub table: &'a Arc<TableSchema>,
    /// `None` for a table whose changes nobody signs.
    pub signed: Option<&'static EffectTable>,
    /// Place of each of its columns in a row; `None` for one that this binlog doesn't have.
    pub columns: [Option<usize>; MAX_EFFECT_COLUMNS],
}

impl<'a> SignedColumns<'a> {
    /// Finds the signed columns of `table`.
    pub fn of(table: &'a Arc<TableSchema>) -> Self {
        let signed = effect_table(&table.name);
        let mut columns = [None; MAX_EFFECT_COLUMNS];
        for (place, column) in columns
            .iter_mut()
            .zip(signed.map_or(&[][..], |signed| signed.columns))
        {
            *place = table.column(column.name);
        }
        SignedColumns {
            table,
            signed,
            columns,
        }
    }
}

/// Whether an update of a versioned table has a higher version after it.
pub fn raises_version(places: &SignedColumns<'_>, change: &RowChange) -> bool {
    let at = places
        .signed
        .and_then(EffectTable::version)
        .and_then(|at| places.columns[at]);
    let version = |image: &Option<RowImage>| match image.as_ref()?.get(at?) {
        Some(ColumnValue::Int(version)) => Some(*version),
        _ => None,
    };
    match (version(&change.before), version(&change.after)) {
        (Some(before), Some(after)) => after > before,
        _ => true,
    }
}
