//! One reading of data at rest.

use crate::stream::change::{AuditFact, ColumnValue};
use rust_decimal::Decimal;
use std::sync::Arc;

/// Facts that one snapshot showed.
#[derive(Debug, Default)]
pub struct AuditReading {
    pub facts: Vec<Arc<AuditFact>>,
    /// The last account of a chunk; `None`: there are no more.
    pub to: Option<String>,
    pub accounts: u64,
    /// Rows that the servers looked at, as far as they are counted.
    pub rows: u64,
    /// There was more than one reading may bring.
    pub overflow: bool,
}

pub(super) fn text(text: String) -> ColumnValue {
    ColumnValue::Text(text.into())
}

pub(super) fn dec(amount: Decimal) -> ColumnValue {
    ColumnValue::Dec(amount)
}
