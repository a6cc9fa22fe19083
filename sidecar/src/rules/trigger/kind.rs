//! The trait of trigger kinds: everything that loading, planning and restarting ask of one.
//! No method has a default, so that a new kind decides each or does not compile.

use crate::rules::script::variable_kind::VariableKind;
use crate::rules::text::rule_mode::RuleMode;
use crate::rules::trigger::rule_memory::{MemoryTerms, RuleMemory};
use crate::stream::change::AuditSubject;

/// A kind of trigger, as far as no input passes: nothing here is on the hot path.
pub trait TriggerKind {
    /// Checks the header's fields. The error names the field.
    fn check(&self) -> Result<(), String>;

    /// Functions that the kind calls, which the rule must define.
    fn functions(&self) -> Vec<RuleFunction>;

    /// Checks `name`, which a variable of kind `of` has, against the header.
    fn check_name(&self, of: VariableKind, name: &str) -> Result<(), String>;

    /// Tables, events and facts that the rule is called for.
    fn watches(&self) -> Vec<WatchPoint>;

    /// Whether the rule can't decide if it doesn't see the tables that `is_hidden` says.
    fn is_blind_without(&self, is_hidden: &dyn Fn(&str) -> bool) -> bool;

    /// Whether all tables that the rule compares must be on one server.
    fn needs_one_server(&self) -> bool;

    /// Rough cost, in tenths of a microsecond per transaction of the core.
    fn cost(&self) -> u64;

    /// An empty memory.
    fn memory(&self, mode: RuleMode, terms: MemoryTerms) -> RuleMemory;

    /// The time for which the rule remembers anything, in microseconds; 0 if it does not.
    fn remembers_us(&self) -> i64;

    /// The time for which the rule waits until it says that something is missing, in microseconds;
    /// None if it never says so.
    fn missing_after_us(&self) -> Option<i64>;

    /// The time for which the rule keeps rows that a later event may meet, in microseconds.
    fn keep_us(&self) -> Option<i64>;
}

/// A function that a trigger calls.
pub struct RuleFunction {
    pub name: &'static str,
    /// The error if the rule has no function of that name and arity.
    pub absence: &'static str,
    /// The kind of each parameter; None where it may be of several.
    pub parameters: Vec<Option<VariableKind>>,
}

/// A place in the stream at which a rule is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchPoint {
    /// Each row of a table of the catalogue, for a side of the rule.
    Row { table: usize, side: usize },
    /// Each transaction that touches a table of the catalogue.
    Transaction { table: usize },
    /// Each event of a kind, for a side of the rule.
    Event { kind: String, side: usize },
    /// Each fact that the audit reads.
    Fact(AuditSubject),
}
