//! Matching of rows with triggers, and the keys under which they are remembered.

use crate::rules::text::pair_side::PairSide;
use crate::rules::text::row_filter::{RowFilter, RowOp};
use crate::rules::views::values::account_of;
use crate::stream::change::{ChangeOp, ColumnValue, ReceivedEvent, RowChange, RowImage};
use std::fmt::Write;

fn image_of(change: &RowChange) -> Option<&RowImage> {
    change.after.as_ref().or(change.before.as_ref())
}

pub fn account_of_change(change: &RowChange) -> &str {
    image_of(change)
        .and_then(|image| account_of(change, image))
        .unwrap_or_default()
}

pub fn column_value<'a>(
    change: &RowChange,
    image: &'a RowImage,
    column: &str,
) -> Option<&'a ColumnValue> {
    change.table.column(column).and_then(|at| image.get(at))
}

pub fn passes(change: &RowChange, ops: &[RowOp], only: &RowFilter) -> bool {
    let Some(image) = image_of(change) else {
        return false;
    };
    ops.iter().any(|op| op.is(change.op)) && has_values(change, image, only)
}

fn has_values(change: &RowChange, image: &RowImage, only: &RowFilter) -> bool {
    only.iter()
        .all(|(column, wanted)| column_value(change, image, column).is_some_and(|v| wanted.is(v)))
}

/// Whether an update changes any of `columns`; other changes always do.
pub fn has_changed(change: &RowChange, columns: &[String]) -> bool {
    match (change.op, &change.before, &change.after) {
        (ChangeOp::Update, Some(before), Some(after)) if !columns.is_empty() => columns
            .iter()
            .any(|c| column_value(change, before, c) != column_value(change, after, c)),
        _ => true,
    }
}

pub fn row_key(change: &RowChange, side: &PairSide) -> Option<String> {
    let image = change
        .after
        .as_ref()
        .filter(|_| side.op.is_some_and(|op| op.is(change.op)))?;
    has_values(change, image, &side.only)
        .then(|| key_of(change, image, side.key.all()))
        .flatten()
}

/// As `key_of` writes it for the row that the event is to meet.
pub fn event_key(event: &ReceivedEvent, side: &PairSide) -> String {
    let mut key = String::with_capacity(64);
    for field in side.key.all() {
        let part = match field.as_str() {
            "account_id" => &event.body.account_id,
            "id" => &event.body.id,
            _ => &event.body.biz_no,
        };
        push_part(&mut key, part);
    }
    key
}

fn push_part(key: &mut String, part: &str) {
    // Writing into a String can't fail.
    let _ = write!(key, "{}:{part}", part.len());
}

fn key_part(value: &ColumnValue) -> Option<String> {
    match value {
        ColumnValue::Text(text) => Some(text.to_string()),
        ColumnValue::Int(number) => Some(number.to_string()),
        ColumnValue::Dec(number) => Some(number.normalize().to_string()),
        ColumnValue::Null | ColumnValue::Opaque => None,
    }
}

/// The values of several columns, each with its length; `None` if one is NULL.
pub fn key_of(change: &RowChange, image: &RowImage, columns: &[String]) -> Option<String> {
    let mut key = String::with_capacity(64);
    for column in columns {
        match column_value(change, image, column)? {
            ColumnValue::Text(text) => push_part(&mut key, text),
            other => push_part(&mut key, &key_part(other)?),
        }
    }
    Some(key)
}
