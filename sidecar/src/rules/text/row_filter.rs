//! Filters of rows: kinds of change and `where` values, as headers write them.

use crate::stream::change::{ChangeOp, ColumnValue};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The kind of change of a row, as headers write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowOp {
    Insert,
    Update,
    Delete,
}

impl RowOp {
    /// Whether a change is of this kind.
    pub fn is(self, op: ChangeOp) -> bool {
        match self {
            RowOp::Insert => op == ChangeOp::Insert,
            RowOp::Update => op == ChangeOp::Update,
            RowOp::Delete => op == ChangeOp::Delete,
        }
    }
}

/// A value in a `where` filter.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum FilterValue {
    Int(i64),
    Text(String),
}

impl FilterValue {
    pub fn is(&self, value: &ColumnValue) -> bool {
        match (self, value) {
            (FilterValue::Int(want), ColumnValue::Int(got)) => want == got,
            (FilterValue::Text(want), ColumnValue::Text(got)) => want.as_str() == &**got,
            _ => false,
        }
    }
}

/// Columns and the values that they must have.
pub type RowFilter = BTreeMap<String, FilterValue>;
