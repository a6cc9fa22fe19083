//! Kinds of the values that rules compare. Rhai answers `false` when unlike things are
//! compared, so that `!(amount > "50000")` lets everything pass: here it is an error, and
//! the call is undetermined.

use crate::rules::views::values::{RhaiResult, fail};
use crate::stream::change::ColumnValue;
use rhai::{Array, Dynamic, ImmutableString, Map};
use rust_decimal::Decimal;
use std::cmp::Ordering;

/// The kind of a value in a rule. Values of one kind can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    Null,
    Number,
    Text,
    Truth,
    List,
    Map,
    Other,
}

impl ValueKind {
    /// The kind of a value that a rule has in hand.
    pub fn of(value: &Dynamic) -> ValueKind {
        if value.is_int() || value.is_decimal() {
            ValueKind::Number
        } else if value.is_string() || value.is_char() {
            ValueKind::Text
        } else if value.is_unit() {
            ValueKind::Null
        } else if value.is_bool() {
            ValueKind::Truth
        } else if value.is_array() {
            ValueKind::List
        } else if value.is_map() {
            ValueKind::Map
        } else {
            ValueKind::Other
        }
    }

    /// The kind of a column's value.
    pub fn of_column(value: &ColumnValue) -> ValueKind {
        match value {
            ColumnValue::Null => ValueKind::Null,
            ColumnValue::Int(_) | ColumnValue::Dec(_) => ValueKind::Number,
            ColumnValue::Text(_) => ValueKind::Text,
            ColumnValue::Opaque => ValueKind::Other,
        }
    }

    /// The kind as errors name it.
    pub fn name(self) -> &'static str {
        match self {
            ValueKind::Null => "NULL",
            ValueKind::Number => "a number",
            ValueKind::Text => "a text",
            ValueKind::Truth => "true or false",
            ValueKind::List => "an array",
            ValueKind::Map => "a map",
            ValueKind::Other => "something without an order",
        }
    }
}

/// The order of two values of one kind.
///
/// # Errors
/// Values of unlike kinds, or of a kind that has no order.
pub fn compare(a: &Dynamic, b: &Dynamic) -> RhaiResult<Ordering> {
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return Ok(a.cmp(&b));
    }
    if let (Some(a), Some(b)) = (text(a), text(b)) {
        return Ok(a.as_str().cmp(b.as_str()));
    }
    match (a.as_bool(), b.as_bool()) {
        (Ok(a), Ok(b)) => Ok(a.cmp(&b)),
        _ => unlike(ValueKind::of(a), ValueKind::of(b)),
    }
}

/// Whether two values of one kind are equal; arrays and maps by what they hold.
///
/// # Errors
/// Values of unlike kinds, on the outside or within.
pub fn equal(a: &Dynamic, b: &Dynamic) -> RhaiResult<bool> {
    match (ValueKind::of(a), ValueKind::of(b)) {
        (ValueKind::Null, ValueKind::Null) => Ok(true),
        (ValueKind::List, ValueKind::List) => {
            match (a.read_lock::<Array>(), b.read_lock::<Array>()) {
                (Some(a), Some(b)) => all_equal(a.len() == b.len(), a.iter().zip(b.iter())),
                _ => unlike(ValueKind::List, ValueKind::List),
            }
        }
        (ValueKind::Map, ValueKind::Map) => match (a.read_lock::<Map>(), b.read_lock::<Map>()) {
            (Some(a), Some(b)) => {
                let same_keys = a.len() == b.len() && a.keys().all(|key| b.contains_key(key));
                all_equal(
                    same_keys,
                    a.iter()
                        .filter_map(|(key, value)| Some((value, b.get(key)?))),
                )
            }
            _ => unlike(ValueKind::Map, ValueKind::Map),
        },
        _ => Ok(compare(a, b)?.is_eq()),
    }
}

/// Looks at every pair, so that whether there is an error does not hang on what differs.
fn all_equal<'a>(
    so_far: bool,
    pairs: impl Iterator<Item = (&'a Dynamic, &'a Dynamic)>,
) -> RhaiResult<bool> {
    let mut all = so_far;
    for (a, b) in pairs {
        all &= equal(a, b)?;
    }
    Ok(all)
}

/// Refuses a comparison.
pub fn unlike<T>(a: ValueKind, b: ValueKind) -> RhaiResult<T> {
    if a == b {
        return fail(format!("can't compare {} with another", a.name()));
    }
    let next = if a == ValueKind::Null || b == ValueKind::Null {
        "; ask `== ()` first"
    } else {
        ""
    };
    fail(format!(
        "can't compare {} with {}{next}",
        a.name(),
        b.name()
    ))
}

fn number(value: &Dynamic) -> Option<Decimal> {
    let whole = || value.as_int().ok().map(Decimal::from);
    value.as_decimal().ok().or_else(whole)
}

fn text(value: &Dynamic) -> Option<ImmutableString> {
    match value.as_char() {
        Ok(one) => Some(one.to_string().into()),
        Err(_) => value.clone().into_immutable_string().ok(),
    }
}
