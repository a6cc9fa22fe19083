//! Positions of rows: the transaction, and the number in it.

use crate::stream::change::{ChangeOp, RowChange};
use std::sync::Arc;

/// The place of a row: its transaction's position, and its number there, from 1.
#[derive(Debug, Clone)]
pub struct RowPosition {
    pub position: Arc<str>,
    pub row: u32,
}

impl RowPosition {
    /// The position of the change at `at` in its transaction.
    pub fn new(position: &Arc<str>, at: usize) -> RowPosition {
        RowPosition {
            position: Arc::clone(position),
            row: u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1),
        }
    }
}

/// The kind of change as rules write it.
pub fn op_name(op: ChangeOp) -> &'static str {
    match op {
        ChangeOp::Insert => "insert",
        ChangeOp::Update => "update",
        ChangeOp::Delete => "delete",
    }
}

/// The name of a row in traces: `row 3: orders insert`.
pub fn row_name(change: &RowChange, row_position: &RowPosition) -> String {
    format!(
        "row {}: {} {}",
        row_position.row,
        change.table.name,
        op_name(change.op)
    )
}
