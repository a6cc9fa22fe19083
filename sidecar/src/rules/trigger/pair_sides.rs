//! Sides of a pair trigger: their checks, and the variables that stand for them.

use crate::rules::script::variable_kind::VariableKind;
use crate::rules::text::pair_side::{PairPer, PairSide};
use crate::rules::text::row_filter::RowOp;
use crate::rules::text::tables;
use crate::rules::trigger::checks::{check_columns, check_event, check_filter, known_table};

/// The kind of the variable that stands for the side.
pub fn variable_of(side: &PairSide) -> Option<VariableKind> {
    match &side.table {
        Some(name) => tables::find(name).map(VariableKind::Image),
        None => Some(VariableKind::Event),
    }
}

/// Refuses a table without clients, and a delay: the newest of a key are compared after it,
/// whosoever they are.
pub fn check_per(per: PairPer, delay_ms: u32, sides: [&PairSide; 2]) -> Result<(), String> {
    let PairPer::Client = per;
    if delay_ms > 0 {
        return Err("trigger.per and trigger.delay_ms exclude each other".to_owned());
    }
    let tables = sides.into_iter().filter_map(|side| side.table.as_ref());
    for table in tables {
        let known = known_table("trigger.table", table)?;
        if known.column("client").is_none() {
            return Err(format!("trigger.per: table {table} has no column client"));
        }
    }
    Ok(())
}

/// Refuses a side that is neither rows of a table nor events, or names other fields than
/// those have.
pub fn check_side(field: &str, side: &PairSide) -> Result<(), String> {
    match (&side.table, side.op, &side.event) {
        (Some(table), Some(op), None) => {
            let known = known_table(&format!("{field}.table"), table)?;
            if op == RowOp::Delete {
                return Err(format!(
                    "{field}.op must be insert or update: a deleted row can't meet anything"
                ));
            }
            check_columns(&format!("{field}.key"), known, side.key.all().iter())?;
            check_filter(&format!("{field}.where"), known, &side.only)
        }
        (None, None, Some(event)) => {
            check_event(&format!("{field}.event"), event)?;
            if let Some(key) = side
                .key
                .all()
                .iter()
                .find(|k| !matches!(k.as_str(), "biz_no" | "account_id" | "id"))
            {
                return Err(format!(
                    "{field}.key = {key:?}: an event's keys are biz_no, account_id, id"
                ));
            }
            if !side.only.is_empty() {
                return Err(format!("{field}.where is for tables only"));
            }
            Ok(())
        }
        _ => Err(format!("{field} needs either table and op, or event")),
    }
}
