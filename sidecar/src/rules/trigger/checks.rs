//! Checks of header fields that several kinds of triggers have. Each error names the field.

use crate::rules::text::row_filter::{FilterValue, RowFilter, RowOp};
use crate::rules::text::tables::{self, CATALOG_TABLES, CatalogTable, ColumnKind};
use crate::rules::trigger::kind::WatchPoint;
use sluice_contract::event::BUSINESS_EVENTS;

/// Refuses an empty list, and deletes where `delete_allowed` is false.
pub fn check_ops(ops: &[RowOp], delete_allowed: bool) -> Result<(), String> {
    if ops.is_empty() {
        return Err("trigger.ops is empty: list some of insert, update, delete".to_owned());
    }
    if !delete_allowed && ops.contains(&RowOp::Delete) {
        return Err(
            "trigger.ops: a window keeps values of after-images, so it can't watch delete"
                .to_owned(),
        );
    }
    Ok(())
}

/// Refuses zero.
pub fn check_positive(field: &str, number: u32) -> Result<(), String> {
    if number == 0 {
        Err(format!("{field} must be greater than zero"))
    } else {
        Ok(())
    }
}

/// Refuses a kind of event that is not of the contract.
pub fn check_event(field: &str, event: &str) -> Result<(), String> {
    if BUSINESS_EVENTS.contains(&event) {
        return Ok(());
    }
    Err(format!(
        "{field} = {event:?} is not an event here: {}",
        BUSINESS_EVENTS.join(", ")
    ))
}

/// The watched table of that name.
pub fn known_table(field: &str, name: &str) -> Result<&'static CatalogTable, String> {
    let found = tables::find(name);
    found.map(|table| &CATALOG_TABLES[table]).ok_or_else(|| {
        format!(
            "{field} = {name:?} is not a watched table: {}",
            tables::names()
        )
    })
}

/// Refuses a name that is no column of the table.
pub fn check_columns<'a>(
    field: &str,
    known: &CatalogTable,
    mut columns: impl Iterator<Item = &'a String>,
) -> Result<(), String> {
    match columns.find(|c| known.column(c).is_none()) {
        None => Ok(()),
        Some(c) => Err(format!(
            "{field} = {c:?} is not a column of {}: {}",
            known.name,
            known.column_names()
        )),
    }
}

/// Refuses a column that holds no numbers.
pub fn check_numbers<'a>(
    field: &str,
    known: &CatalogTable,
    mut columns: impl Iterator<Item = &'a String>,
) -> Result<(), String> {
    match columns.find(|c| known.column(c) == Some(ColumnKind::Text)) {
        None => Ok(()),
        Some(c) => Err(format!(
            "{field}: {c} of {} is a text, and a guard compares numbers",
            known.name
        )),
    }
}

/// Refuses a filter that no row could pass: by a name that is no column, or by a value of
/// another kind than the column's.
pub fn check_filter(field: &str, known: &CatalogTable, only: &RowFilter) -> Result<(), String> {
    check_columns(field, known, only.keys())?;
    let fits = |kind: Option<ColumnKind>, wanted: &FilterValue| match wanted {
        FilterValue::Int(_) => kind == Some(ColumnKind::Int),
        FilterValue::Text(_) => kind == Some(ColumnKind::Text),
    };
    match only
        .iter()
        .find(|(c, wanted)| !fits(known.column(c), wanted))
    {
        None => Ok(()),
        Some((column, wanted)) => Err(format!(
            "{field}: {column} of {} never equals {wanted:?}: it is of another kind",
            known.name
        )),
    }
}

/// The watch on each row of `table`, for a side of the rule; None if the table is unknown,
/// which `check` refuses.
pub fn watch_rows(table: &str, side: usize) -> Option<WatchPoint> {
    tables::find(table).map(|table| WatchPoint::Row { table, side })
}
