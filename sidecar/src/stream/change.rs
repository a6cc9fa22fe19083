//! The one type that every source becomes: a transaction of row changes, or a
//! business event, with its exact position.

pub use crate::stream::table_schema::TableSchema;

use rust_decimal::Decimal;
use std::sync::Arc;

/// A column's value. Text stays as the bytes of the binlog; nothing is a float.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnValue {
    Null,
    Int(i64),
    Dec(Decimal),
    Text(Box<str>),
    /// Bytes that are not UTF-8, or a type that rules can't read (float, geometry).
    Opaque,
}

impl ColumnValue {
    /// Length of a text, in bytes; 0 of everything else.
    pub fn text_bytes(&self) -> usize {
        match self {
            ColumnValue::Text(text) => text.len(),
            ColumnValue::Null | ColumnValue::Int(_) | ColumnValue::Dec(_) | ColumnValue::Opaque => {
                0
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeOp {
    Insert,
    Update,
    Delete,
}

pub type RowImage = Box<[ColumnValue]>;

/// One row's change. `before` is there for updates and deletes, `after` for
/// inserts and updates; each has one value per column of `table`.
#[derive(Debug)]
pub struct RowChange {
    pub table: Arc<TableSchema>,
    pub op: ChangeOp,
    pub before: Option<RowImage>,
    pub after: Option<RowImage>,
}

/// Everything that one commit changed in watched tables, in the binlog's order.
#[derive(Debug)]
pub struct ChangeTransaction {
    /// GTID of this transaction (`0-1-56`, or `uuid:56`).
    pub position: Arc<str>,
    pub changes: Vec<Arc<RowChange>>,
}

/// A business event of an upstream service, checked against its schema.
#[derive(Debug)]
pub struct ReceivedEvent {
    /// `topic/partition/offset`.
    pub position: Arc<str>,
    pub body: sluice_contract::event::BusinessEvent,
}

/// A subject of the audit of data at rest.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum AuditSubject {
    /// An account's balance in one currency beside the sums of its entries.
    Books,
    /// A posting whose debits and credits differ in some currency.
    Postings,
    /// A payment of an account whose captures, entries and orders differ.
    Captures,
    /// An order of an account whose orders and entries differ.
    Orders,
    /// An entry whose seal does not hold.
    Entries,
}

/// One thing at rest, as of one snapshot. Its values are named in `rules::at_rest`.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditFact {
    pub of: AuditSubject,
    pub values: Box<[ColumnValue]>,
}

/// An input of rules; they come in the order in which they are evaluated.
#[derive(Debug, Clone)]
pub enum RuleInput {
    Transaction(Arc<ChangeTransaction>),
    Event(Arc<ReceivedEvent>),
    /// Read at rest; no part of the stream of changes.
    AtRest(Arc<AuditFact>),
    /// This source has delivered everything that was there at `at_us`.
    Watermark {
        source: SourceKind,
        at_us: i64,
    },
}

impl RuleInput {
    /// The transaction, if the input is one.
    pub fn transaction(&self) -> Option<&Arc<ChangeTransaction>> {
        match self {
            RuleInput::Transaction(transaction) => Some(transaction),
            RuleInput::Event(_) | RuleInput::AtRest(_) | RuleInput::Watermark { .. } => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceKind {
    Binlog,
    Kafka,
}
