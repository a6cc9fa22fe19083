//! Batches that sources hand to the evaluator.

use crate::stream::change::{ChangeTransaction, ReceivedEvent};
use crate::stream::offsets::PartitionOffsets;
use std::sync::Arc;

/// One message that is no business event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// A `Refusal`'s label.
    pub reason: &'static str,
    /// Start of the payload, at most `kafka::dead_letters::MAX_PAYLOAD_BYTES` of it.
    pub payload: Vec<u8>,
    /// The length of the whole payload.
    pub bytes: usize,
    /// By its sender or the broker; 0 if neither said.
    pub event_time_us: i64,
}

/// A core's fence token, as its row's after-image says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FenceToken {
    pub instance: String,
    pub token: u64,
    pub updated_us: i64,
}

/// Rows that are for the sidecar itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlRow {
    Token(FenceToken),
    /// Our own checkpoint came back: what `lag` is measured by.
    Heartbeat {
        updated_us: i64,
    },
}

/// Statements of one transaction that changed a watched table and left no rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnloggedChange {
    pub table: &'static str,
    /// The first of them, cut to a bound.
    pub text: String,
    pub count: usize,
}

/// One transaction with watched rows, or of which they are missing.
#[derive(Debug)]
pub struct WatchedTransaction {
    pub transaction: Arc<ChangeTransaction>,
    pub control_rows: Vec<ControlRow>,
    pub unlogged: Vec<UnloggedChange>,
}

#[derive(Debug, Default)]
pub struct BinlogBatch {
    /// Which of several servers: 0 has orders and guard.
    pub server: usize,
    pub items: Vec<WatchedTransaction>,
    /// The whole GTID position after the batch; transactions without watched rows
    /// move it too.
    pub position: String,
    /// The transaction that a restart must read again, beside what rules still need.
    pub needs_from: Option<Arc<str>>,
    pub changes: usize,
}

#[derive(Debug, Default)]
pub struct KafkaBatch {
    pub events: Vec<Arc<ReceivedEvent>>,
    /// Messages that are no business events, in the same order.
    pub dead_letters: Vec<DeadLetter>,
    /// Next offset of every partition after the batch.
    pub offsets: Arc<PartitionOffsets>,
}
