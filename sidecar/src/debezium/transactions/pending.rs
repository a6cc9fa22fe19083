//! A transaction of which pieces are still to come, and what its topics carry.

use crate::debezium::envelope::ChangePlace;
use crate::stream::batches::ControlRow;
use crate::stream::change::RowChange;
use crate::stream::offsets::PartitionOffsets;
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

pub type PendingChange = (Arc<RowChange>, Option<ControlRow>);

/// The pieces that came so far.
#[derive(Debug, Default)]
pub struct PendingTransaction {
    pub begun: bool,
    /// The connector was stopped within it and began it again: it counts anew from there on,
    /// so that its counts don't tell when the transaction is whole.
    pub repeated: bool,
    /// Ends of all partitions, asked after its own end was read; of one that is repeated.
    pub until: Option<PartitionOffsets>,
    /// Events still to come, per topic; known once the end is here.
    pub missing: Option<BTreeMap<Arc<str>, i64>>,
    pub changes: BTreeMap<ChangePlace, PendingChange>,
    /// Events that came before the end, per topic.
    pub seen: BTreeMap<Arc<str>, i64>,
    pub messages: Vec<HeldMessage>,
}
