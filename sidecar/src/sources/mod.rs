//! Where changes and events come from. Every source hands over batches in its own
//! order, with the position that they reach.

mod alter;
pub mod binlog;
pub mod group;
pub mod gtid;
pub mod hosts;
pub mod kafka;
pub mod offsets;
pub mod preflight;
pub mod progress;
pub mod relied;
pub mod rows;
pub mod servers;
pub mod statement;
pub mod watch;
mod words;

use crate::aside::Aside;
use crate::change::{Event, Transaction};
use offsets::Offsets;
use std::sync::Arc;

/// Where to begin if there is no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// What is committed from now on.
    #[default]
    Now,
    /// Everything that the server still has.
    Oldest,
}

/// A core's fence token, as its row's after-image says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub instance: String,
    pub token: u64,
    pub updated_us: i64,
}

/// Rows that are for the sidecar itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    Token(Token),
    /// Our own checkpoint came back: what `lag` is measured by.
    Heartbeat {
        updated_us: i64,
    },
}

/// Statements of one transaction that changed a watched table and left no rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    pub table: &'static str,
    /// The first of them, cut to a bound.
    pub text: String,
    pub count: usize,
}

/// One transaction with watched rows, or of which they are missing.
#[derive(Debug)]
pub struct Item {
    pub transaction: Arc<Transaction>,
    pub marks: Vec<Mark>,
    pub unseen: Vec<Unseen>,
}

#[derive(Debug, Default)]
pub struct BinlogBatch {
    /// Which of several servers: 0 has orders and guard.
    pub server: usize,
    pub items: Vec<Item>,
    /// The whole GTID position after the batch; transactions without watched rows
    /// move it too.
    pub position: String,
    pub changes: usize,
}

#[derive(Debug, Default)]
pub struct KafkaBatch {
    pub events: Vec<Arc<Event>>,
    /// Messages that are no business events, in the same order.
    pub aside: Vec<Aside>,
    /// Next offset of every partition after the batch.
    pub offsets: Arc<Offsets>,
}
