//! The plan of a rule set: which rules watch which tables, events and facts.

use crate::stream::change::AuditSubject;
use ahash::AHashMap;

/// Rules by the tables, events and facts that they watch, by their number in `RuleSet::rules`.
#[derive(Debug, Default)]
pub(crate) struct RulePlan {
    /// Row and window rules and sides of pairs, for each table of the catalogue.
    pub by_table: Vec<Vec<RuleWatch>>,
    /// Event rules and sides of pairs, by the event's kind.
    pub by_event: AHashMap<String, Vec<RuleWatch>>,
    /// Transaction rules, for each table of the catalogue.
    pub transactions: Vec<Vec<usize>>,
    /// Rules over data at rest, by what they look at.
    pub at_rest: Vec<(AuditSubject, usize)>,
}

/// A rule that watches a table or an event, and for which of its sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RuleWatch {
    pub rule: usize,
    /// Of a pair: 0 left, 1 right. 0 of every kind without sides.
    pub side: usize,
}

impl RulePlan {
    /// Transaction rules that watch any of the tables of these bits, each once, in order.
    pub fn of_tables(&self, touched: u32) -> Vec<usize> {
        let watched = self
            .transactions
            .iter()
            .enumerate()
            .filter(|(table, _)| touched & (1 << table) != 0);
        let mut rules: Vec<usize> = watched.flat_map(|(_, rules)| rules).copied().collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }
}
