//! A transaction of which pieces are still to come, and what its topics carry.

use crate::debezium::envelope::ChangePlace;
use crate::stream::batches::ControlRow;
use crate::stream::change::RowChange;
use crate::stream::offsets::PartitionOffsets;
use std::collections::{BTreeMap, BTreeSet};
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

/// A change as one message told it.
#[derive(Debug)]
pub struct PendingChange {
    pub topic: Arc<str>,
    /// Number of the change among those of its table.
    pub table_order: u64,
    pub change: Arc<RowChange>,
    pub control_row: Option<ControlRow>,
}

/// The pieces that came so far.
#[derive(Debug, Default)]
pub struct PendingTransaction {
    pub begun: bool,
    /// Whether the connector was stopped within it and began it again: it counts anew from
    /// there on.
    pub repeated: bool,
    /// Ends of all partitions, asked after its own end was read; of one that is repeated.
    pub until: Option<PartitionOffsets>,
    /// Events that its end counts, per topic.
    pub counts: BTreeMap<Arc<str>, i64>,
    /// Events still to come, per topic; known once the end is here.
    pub missing: Option<BTreeMap<Arc<str>, i64>>,
    /// Each telling of each change.
    pub changes: BTreeMap<ChangePlace, PendingChange>,
    /// The connector's numbers that came.
    pub numbers: BTreeSet<u64>,
    /// The binlog that its places are of.
    pub binlog_file: Option<String>,
    /// Another binlog that places are of too: they can't be compared.
    pub other_file: Option<String>,
    /// Events that came before the end, per topic.
    pub seen: BTreeMap<Arc<str>, i64>,
    pub messages: Vec<HeldMessage>,
}

impl PendingTransaction {
    /// Notes the binlog of a change; true if it is another than that of the first.
    pub fn is_of_other_file(&mut self, file: Option<String>) -> bool {
        let Some(file) = file else {
            return false;
        };
        match &self.binlog_file {
            None => self.binlog_file = Some(file),
            Some(first) if *first != file => {
                self.other_file = Some(file);
                return true;
            }
            Some(_) => {}
        }
        false
    }
}
