//! Which rows a trigger means, and under which key they are remembered.

use super::header::{RowOp, Side, Where};
use super::tx::account_of;
use crate::change::{Change, Event, Image, Op, Value};
use std::fmt::Write;

fn image_of(change: &Change) -> Option<&Image> {
    change.after.as_ref().or(change.before.as_ref())
}

pub fn owner(change: &Change) -> &str {
    image_of(change)
        .and_then(|image| account_of(change, image))
        .unwrap_or_default()
}

pub fn value<'a>(change: &Change, image: &'a Image, column: &str) -> Option<&'a Value> {
    change.table.column(column).and_then(|at| image.get(at))
}

pub fn passes(change: &Change, ops: &[RowOp], only: &Where) -> bool {
    let Some(image) = image_of(change) else {
        return false;
    };
    ops.iter().any(|op| op.is(change.op)) && has_values(change, image, only)
}

fn has_values(change: &Change, image: &Image, only: &Where) -> bool {
    only.iter()
        .all(|(column, wanted)| value(change, image, column).is_some_and(|v| wanted.is(v)))
}

/// Whether an update changes any of `columns`; other changes always do.
pub fn has_changed(change: &Change, columns: &[String]) -> bool {
    match (change.op, &change.before, &change.after) {
        (Op::Update, Some(before), Some(after)) if !columns.is_empty() => columns
            .iter()
            .any(|c| value(change, before, c) != value(change, after, c)),
        _ => true,
    }
}

pub fn row_key(change: &Change, side: &Side) -> Option<String> {
    let image = change
        .after
        .as_ref()
        .filter(|_| side.op.is_some_and(|op| op.is(change.op)))?;
    has_values(change, image, &side.only)
        .then(|| key_of(change, image, side.key.all()))
        .flatten()
}

/// As `key_of` writes it for the row that the event is to meet.
pub fn event_key(event: &Event, side: &Side) -> String {
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

fn key_part(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Dec(number) => Some(number.normalize().to_string()),
        Value::Null | Value::Opaque => None,
    }
}

/// The values of several columns, each with its length; `None` if one is NULL.
pub fn key_of(change: &Change, image: &Image, columns: &[String]) -> Option<String> {
    let mut key = String::with_capacity(64);
    for column in columns {
        match value(change, image, column)? {
            Value::Text(text) => push_part(&mut key, text),
            other => push_part(&mut key, &key_part(other)?),
        }
    }
    Some(key)
}
