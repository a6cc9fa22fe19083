//! A transaction of which pieces are still to come, and what its topics carry.

use crate::stream::batches::ControlRow;
use crate::stream::change::RowChange;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A topic's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicContent {
    Rows(&'static str),
    Boundaries,
    Statements,
}

/// A message's place: topic, partition, offset.
pub type HeldMessage = (Arc<str>, i32, i64);

/// The pieces that came so far.
#[derive(Debug, Default)]
pub struct PendingTransaction {
    pub begun: bool,
    /// Events still to come, per topic; known once the end is here.
    pub missing: Option<BTreeMap<Arc<str>, i64>>,
    pub changes: BTreeMap<u64, (Arc<RowChange>, Option<ControlRow>)>,
    /// Events that came before the end, per topic.
    pub seen: BTreeMap<Arc<str>, i64>,
    pub messages: Vec<HeldMessage>,
}
