//! Keys of sums, and the arithmetic of their amounts.

use crate::rules::views::values::{RhaiResult, fail};
use crate::stream::change::{ColumnValue, RowChange};
use rhai::{Array, Dynamic, ImmutableString};
use rust_decimal::Decimal;
use std::hash::{Hash, Hasher};

/// Most columns of a key.
const MAX_KEY_COLUMNS: usize = 4;

/// A key's values, borrowed.
#[derive(Clone, Copy, Default)]
pub struct SumKey<'a>([Option<&'a ColumnValue>; MAX_KEY_COLUMNS]);

impl Hash for SumKey<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for value in self.0.into_iter().flatten() {
            match value {
                ColumnValue::Text(text) => text.hash(state),
                ColumnValue::Int(number) => number.hash(state),
                ColumnValue::Dec(number) => number.hash(state),
                ColumnValue::Null | ColumnValue::Opaque => state.write_u8(0),
            }
        }
    }
}

impl PartialEq for SumKey<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for SumKey<'_> {}

impl<'a> SumKey<'a> {
    /// The values as texts.
    pub fn texts(self) -> impl Iterator<Item = ImmutableString> + 'a {
        self.0.into_iter().flatten().map(text_of)
    }
}

/// The key of a row.
pub fn key_of<'a>(image: &'a [ColumnValue], columns: &[usize]) -> SumKey<'a> {
    let mut key = [None; MAX_KEY_COLUMNS];
    for (part, column) in key.iter_mut().zip(columns) {
        *part = image.get(*column);
    }
    SumKey(key)
}

/// The columns of a key as they were asked for.
pub fn names(keys: &Array) -> String {
    keys.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Places of a key's columns in the table of `change`.
pub fn key_columns(change: &RowChange, keys: &Array) -> RhaiResult<Vec<usize>> {
    if keys.is_empty() || keys.len() > MAX_KEY_COLUMNS {
        return fail(format!(
            "a key has 1 to {MAX_KEY_COLUMNS} columns, not {}",
            keys.len()
        ));
    }
    let column = |key: &Dynamic| {
        let name = key.clone().into_immutable_string().unwrap_or_default();
        change.table.column(&name).map_or_else(
            || fail(format!("{} has no column {name:?}", change.table.name)),
            Ok,
        )
    };
    keys.iter().map(column).collect()
}

/// The value of a column.
pub fn column_of<'a>(
    change: &RowChange,
    image: &'a [ColumnValue],
    column: &str,
) -> RhaiResult<&'a ColumnValue> {
    let value = change.table.column(column).and_then(|at| image.get(at));
    value.map_or_else(
        || fail(format!("{} has no column {column}", change.table.name)),
        Ok,
    )
}

/// The amount in a column.
pub fn decimal(change: &RowChange, image: &[ColumnValue], column: &str) -> RhaiResult<Decimal> {
    match column_of(change, image, column)? {
        ColumnValue::Dec(amount) => Ok(*amount),
        other => fail(format!(
            "{column} of {} is not an amount but {other:?}",
            change.table.name
        )),
    }
}

/// The sum of two amounts, if it fits.
pub fn add(left: Decimal, right: Decimal) -> RhaiResult<Decimal> {
    left.checked_add(right)
        .map_or_else(|| fail(format!("{left} + {right} is too large")), Ok)
}

fn text_of(value: &ColumnValue) -> ImmutableString {
    match value {
        ColumnValue::Text(text) => (&**text).into(),
        ColumnValue::Int(number) => number.to_string().into(),
        ColumnValue::Dec(number) => number.to_string().into(),
        ColumnValue::Null | ColumnValue::Opaque => "".into(),
    }
}
