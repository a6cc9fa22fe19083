//! The one type that every source becomes: a transaction of row changes, or a
//! business event, with its exact position.

use rust_decimal::Decimal;
use std::sync::Arc;

/// A column's value. Text stays as the bytes of the binlog; nothing is a float.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Int(i64),
    Dec(Decimal),
    Text(Box<str>),
    /// Bytes that are not UTF-8, or a type that rules can't read (float, geometry).
    Opaque,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Insert,
    Update,
    Delete,
}

/// A watched table as the binlog describes it now.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Logical name, as rules write it: `orders`, `attempt`, `outbox`, `balance`,
    /// `entry`, `fence_token`, `checkpoint`, `breaker`.
    pub name: String,
    pub columns: Vec<String>,
}

impl Table {
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c == name)
    }
}

pub type Image = Box<[Value]>;

/// One row's change. `before` is there for updates and deletes, `after` for
/// inserts and updates; each has one value per column of `table`.
#[derive(Debug)]
pub struct Change {
    pub table: Arc<Table>,
    pub op: Op,
    pub before: Option<Image>,
    pub after: Option<Image>,
}

/// Everything that one commit changed in watched tables, in the binlog's order.
#[derive(Debug)]
pub struct Transaction {
    /// GTID of this transaction (`0-1-56`, or `uuid:56`).
    pub position: Arc<str>,
    pub changes: Vec<Arc<Change>>,
}

/// A business event of an upstream service, checked against its schema.
#[derive(Debug)]
pub struct Event {
    /// `topic/partition/offset`.
    pub position: Arc<str>,
    pub body: sluice_contract::event::BusinessEvent,
}

/// What a snapshot of data at rest looks at.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// An account's balance in one currency beside the sums of its entries.
    Books,
    /// A posting whose debits and credits differ in some currency.
    Postings,
    /// A payment of an account whose captures, entries and orders differ.
    Captures,
    /// An order of an account whose orders and entries differ.
    Orders,
}

/// One thing at rest, as of one snapshot. Its values are named in `rules::at_rest`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    pub of: Of,
    pub values: Box<[Value]>,
}

/// What rules evaluate, in the order in which it is evaluated.
#[derive(Debug, Clone)]
pub enum Input {
    Transaction(Arc<Transaction>),
    Event(Arc<Event>),
    /// Read at rest; no part of the stream of changes.
    AtRest(Arc<Fact>),
    /// This source has delivered everything that was there at `at_us`.
    Watermark {
        source: Source,
        at_us: i64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    Binlog,
    Kafka,
}
