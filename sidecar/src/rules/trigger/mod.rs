//! Triggers by kind, a file each. To add a kind: a variant and a struct in
//! `text/trigger_header.rs`, a file here that implements [`TriggerKind`] for the struct,
//! and an arm in each of the matches below.
//!
//! [`kind`](Trigger::kind) is the one match of everything that is asked while rules are
//! loaded. Inputs take the matches of `on_…`: static calls, nothing is allocated for the
//! routing. None of them has a wildcard arm.

pub mod arrival;
pub mod audit;
pub mod checks;
pub mod event;
pub mod kind;
pub mod matching;
pub mod pair;
pub mod pair_sides;
pub mod row;
pub mod rule_memory;
pub mod transaction;
pub mod window;

use crate::rules::runtime::rule_call::RuleRun;
use crate::rules::text::trigger_header::Trigger;
use crate::rules::transaction::transaction_view::TransactionView;
use crate::rules::trigger::arrival::{EventArrival, MemoryScope, RowArrival};
use crate::rules::trigger::kind::TriggerKind;
use crate::stream::change::AuditFact;
use std::sync::Arc;

impl Trigger {
    /// The trigger as its kind.
    pub fn kind(&self) -> &dyn TriggerKind {
        match self {
            Trigger::Row(row) => row,
            Trigger::Transaction(transaction) => transaction,
            Trigger::Event(event) => event,
            Trigger::Window(window) => window,
            Trigger::Pair(pair) => pair,
            Trigger::Audit(audit) => audit,
        }
    }
}

/// Hands a row to a rule that watches its table.
pub fn on_row(run: &mut RuleRun<'_>, scope: &mut MemoryScope<'_>, new: RowArrival<'_>) {
    let set = run.set;
    let Some(rule) = set.rules.get(new.watch.rule) else {
        return;
    };
    match &rule.header.trigger {
        Trigger::Row(row) => row.on_row(run, new),
        Trigger::Window(window) => window.on_row(run, scope, new),
        Trigger::Pair(pair) => pair.on_row(run, scope, new),
        Trigger::Transaction(_) | Trigger::Event(_) | Trigger::Audit(_) => {}
    }
}

/// Hands an event to a rule that watches its kind.
pub fn on_event(run: &mut RuleRun<'_>, scope: &mut MemoryScope<'_>, new: EventArrival<'_>) {
    let set = run.set;
    let Some(rule) = set.rules.get(new.watch.rule) else {
        return;
    };
    match &rule.header.trigger {
        Trigger::Event(event) => event.on_event(run, new),
        Trigger::Pair(pair) => pair.on_event(run, scope, new),
        Trigger::Row(_) | Trigger::Window(_) | Trigger::Transaction(_) | Trigger::Audit(_) => {}
    }
}

/// Hands a transaction to a rule that watches one of its tables.
pub fn on_transaction(
    run: &mut RuleRun<'_>,
    rule: usize,
    tx: TransactionView,
    position: &Arc<str>,
) {
    let set = run.set;
    match set.rules.get(rule).map(|rule| &rule.header.trigger) {
        Some(Trigger::Transaction(whole)) => whole.on_transaction(run, rule, tx, position),
        Some(
            Trigger::Row(_)
            | Trigger::Window(_)
            | Trigger::Event(_)
            | Trigger::Pair(_)
            | Trigger::Audit(_),
        )
        | None => {}
    }
}

/// Hands a fact of the audit to a rule that watches its subject.
pub fn on_fact(run: &mut RuleRun<'_>, rule: usize, fact: &Arc<AuditFact>, position: &Arc<str>) {
    let set = run.set;
    match set.rules.get(rule).map(|rule| &rule.header.trigger) {
        Some(Trigger::Audit(audit)) => audit.on_fact(run, rule, fact, position),
        Some(
            Trigger::Row(_)
            | Trigger::Window(_)
            | Trigger::Event(_)
            | Trigger::Pair(_)
            | Trigger::Transaction(_),
        )
        | None => {}
    }
}
