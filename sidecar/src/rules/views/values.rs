//! Values of columns as rules see them, and the errors that rule engineers read.

use crate::rules::views::value_kind::{ValueKind, compare};
use crate::stream::change::{ColumnValue, RowChange};
use rhai::{Dynamic, EvalAltResult, ImmutableString};

/// Accounts and sums that a rule is given one by one; all beyond are everybody.
pub const MAX_NAMED: usize = 100;

/// A result whose error a rule engineer reads.
pub type RhaiResult<T> = Result<T, Box<EvalAltResult>>;

/// An error that a rule engineer reads.
pub fn fail<T>(message: String) -> RhaiResult<T> {
    Err(message.into())
}

/// A value as text; `None` for NULL.
pub fn value_text(value: &ColumnValue) -> Option<String> {
    match value {
        ColumnValue::Null => None,
        ColumnValue::Int(number) => Some(number.to_string()),
        ColumnValue::Dec(number) => Some(number.to_string()),
        ColumnValue::Text(text) => Some(text.to_string()),
        ColumnValue::Opaque => Some("(something that rules can't read)".to_owned()),
    }
}

/// A column's value as rules see it; NULL is `()`.
pub fn to_dynamic(value: &ColumnValue, column: &str) -> RhaiResult<Dynamic> {
    match value {
        ColumnValue::Null => Ok(Dynamic::UNIT),
        ColumnValue::Int(number) => Ok((*number).into()),
        ColumnValue::Dec(number) => Ok((*number).into()),
        ColumnValue::Text(text) => Ok(ImmutableString::from(&**text).into()),
        ColumnValue::Opaque => fail(format!("{column} holds something that rules can't read")),
    }
}

/// Whether a column equals what a rule asks for. A row where it is NULL has no such value.
///
/// # Errors
/// The column is of another kind than what is asked for: it would never be equal.
pub fn equals(value: &ColumnValue, wanted: &Dynamic, column: &str) -> RhaiResult<bool> {
    let (of, asked) = (ValueKind::of_column(value), ValueKind::of(wanted));
    if of == ValueKind::Null || asked == ValueKind::Null {
        return Ok(of == asked);
    }
    if of != asked || of == ValueKind::Other {
        return fail(format!(
            "{column} holds {}, which can't be compared with {}",
            of.name(),
            asked.name()
        ));
    }
    Ok(compare(&to_dynamic(value, column)?, wanted)?.is_eq())
}

/// The account of a row, if it has one.
pub fn account_of<'a>(change: &RowChange, image: &'a [ColumnValue]) -> Option<&'a str> {
    match change
        .table
        .column("account_id")
        .and_then(|at| image.get(at))
    {
        Some(ColumnValue::Text(account)) => Some(account),
        _ => None,
    }
}
