//! Guard of a row rule, as its header writes it: `unless = "balance == available + reserved"`.
//! Rows for which it holds are right, and the rule's code isn't called for them: of a million
//! rows that is all but a few, and the guard costs a tenth of a call.
//!
//! A guard is comparisons of sums, joined by `&&`; a sum is names of columns and numbers with
//! `+` and `-` between. The values are those after the change, of a deleted row those before.
//! What isn't a number, or doesn't fit, is not known: then the guard doesn't hold, and the
//! code is called.

use crate::stream::change::{ColumnValue, RowImage, TableSchema};
use rust_decimal::Decimal;
use serde::Deserialize;
use std::fmt;

/// A condition under which a row needs no look.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct RowGuard {
    text: String,
    comparisons: Vec<GuardComparison>,
}

#[derive(Clone, PartialEq)]
struct GuardComparison {
    left: Vec<GuardTerm>,
    operator: GuardOperator,
    right: Vec<GuardTerm>,
}

#[derive(Clone, PartialEq)]
struct GuardTerm {
    is_negative: bool,
    value: GuardValue,
}

#[derive(Clone, PartialEq)]
enum GuardValue {
    Column(String),
    Number(Decimal),
}

#[derive(Clone, Copy, PartialEq)]
enum GuardOperator {
    Equal,
    Unequal,
    AtLeast,
    AtMost,
    Above,
    Below,
}

/// Operators as they are written; those that begin as another does come first.
const OPERATORS: [(&str, GuardOperator); 6] = [
    ("==", GuardOperator::Equal),
    ("!=", GuardOperator::Unequal),
    (">=", GuardOperator::AtLeast),
    ("<=", GuardOperator::AtMost),
    (">", GuardOperator::Above),
    ("<", GuardOperator::Below),
];

impl RowGuard {
    /// The columns that it names.
    pub fn columns(&self) -> impl Iterator<Item = &String> {
        let sums = self.comparisons.iter().flat_map(|c| [&c.left, &c.right]);
        sums.flatten().filter_map(|term| match &term.value {
            GuardValue::Column(column) => Some(column),
            GuardValue::Number(_) => None,
        })
    }

    /// Whether the row is known to be right.
    pub fn holds(&self, table: &TableSchema, image: &RowImage) -> bool {
        self.comparisons.iter().all(|comparison| {
            let left = sum(&comparison.left, table, image);
            let right = sum(&comparison.right, table, image);
            left.zip(right)
                .is_some_and(|(left, right)| comparison.operator.holds(left, right))
        })
    }
}

impl GuardOperator {
    fn holds(self, left: Decimal, right: Decimal) -> bool {
        match self {
            GuardOperator::Equal => left == right,
            GuardOperator::Unequal => left != right,
            GuardOperator::AtLeast => left >= right,
            GuardOperator::AtMost => left <= right,
            GuardOperator::Above => left > right,
            GuardOperator::Below => left < right,
        }
    }
}

/// The sum, if every part of it is a number.
fn sum(terms: &[GuardTerm], table: &TableSchema, image: &RowImage) -> Option<Decimal> {
    let mut total: Option<Decimal> = None;
    for term in terms {
        let value = match &term.value {
            GuardValue::Number(number) => *number,
            GuardValue::Column(column) => match image.get(table.column(column)?)? {
                ColumnValue::Dec(number) => *number,
                ColumnValue::Int(number) => Decimal::from(*number),
                ColumnValue::Null | ColumnValue::Text(_) | ColumnValue::Opaque => return None,
            },
        };
        let value = if term.is_negative { -value } else { value };
        total = Some(match total {
            Some(total) => total.checked_add(value)?,
            None => value,
        });
    }
    total
}

impl TryFrom<String> for RowGuard {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let comparisons = text
            .split("&&")
            .map(comparison)
            .collect::<Result<_, _>>()
            .map_err(|why| format!("unless = {text:?}: {why}"))?;
        Ok(RowGuard { text, comparisons })
    }
}

fn comparison(text: &str) -> Result<GuardComparison, String> {
    let found = OPERATORS
        .iter()
        .find_map(|(sign, operator)| Some((text.split_once(sign)?, *operator)));
    let Some(((left, right), operator)) = found else {
        return Err(format!(
            "{:?} is no comparison: write one of == != >= <= > < between two sums",
            text.trim()
        ));
    };
    Ok(GuardComparison {
        left: terms(left)?,
        operator,
        right: terms(right)?,
    })
}

fn terms(text: &str) -> Result<Vec<GuardTerm>, String> {
    let mut all = Vec::new();
    let mut rest = text.trim();
    let mut is_negative = false;
    if let Some(behind) = rest.strip_prefix('-') {
        (is_negative, rest) = (true, behind);
    }
    loop {
        let end = rest.find(['+', '-']).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        all.push(GuardTerm {
            is_negative,
            value: value(word.trim())?,
        });
        let mut signs = behind.chars();
        match signs.next() {
            None => return Ok(all),
            Some(sign) => (is_negative, rest) = (sign == '-', signs.as_str()),
        }
    }
}

fn value(word: &str) -> Result<GuardValue, String> {
    let is_name = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    if is_name(word) {
        return Ok(GuardValue::Column(word.to_owned()));
    }
    Decimal::from_str_exact(word)
        .map(GuardValue::Number)
        .map_err(|_| format!("{word:?} is neither a column nor a number"))
}

impl fmt::Debug for RowGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowGuard({:?})", self.text)
    }
}

#[cfg(test)]
#[path = "row_guard_tests.rs"]
mod tests;
