//! Arrivals: one change or event on its way through the rules, and the memories it meets.

use crate::rules::memory::account_holds::AccountHolds;
use crate::rules::memory::kept_columns::KeptColumns;
use crate::rules::memory::replay_marks::ReplayMarks;
use crate::rules::memory::watermarks::SourceWatermarks;
use crate::rules::runtime::rule_plan::RuleWatch;
use crate::rules::trigger::rule_memory::RuleMemory;
use crate::rules::views::row_position::RowPosition;
use crate::stream::change::{ReceivedEvent, RowChange};
use std::sync::Arc;

/// A row that arrives at a rule.
pub struct RowArrival<'a> {
    pub(crate) watch: RuleWatch,
    pub change: &'a Arc<RowChange>,
    pub row_position: RowPosition,
    /// False of a redelivered row: the same verdicts come again, but no memory may count it
    /// twice.
    pub is_new: bool,
}

/// An event that arrives at a rule.
pub struct EventArrival<'a> {
    pub(crate) watch: RuleWatch,
    pub event: &'a Arc<ReceivedEvent>,
}

/// All memories of the rules, while one input passes.
pub struct MemoryScope<'a> {
    pub memories: &'a mut Vec<RuleMemory>,
    pub holds: &'a mut AccountHolds,
    pub watermarks: &'a SourceWatermarks,
    /// Columns that halves of pairs are kept with.
    pub kept_columns: &'a mut KeptColumns,
    /// The marks of Kafka.
    pub events: &'a mut ReplayMarks,
}
