//! Evaluation of one input: each rule that watches it is called, in the order of changes
//! and rules. There is no I/O and no clock here.
//!
//! | phase | work | cost |
//! |---|---|---|
//! | know | position in the recent ones; balances, if a rule asks | one hash |
//! | rows | `plan.by_table` → `trigger::on_row`, per change | a static match, a call per rule |
//! | whole | `plan.of_tables` → `trigger::on_transaction` | one shared view, a call per rule |
//! | event | `plan.by_event` → `trigger::on_event` | as a row |
//! | watermark | `RuleMemory::advance` of rules that remember | what has come due |

use crate::rules::memory::watermarks::source_index;
use crate::rules::runtime::finding::Finding;
use crate::rules::runtime::rule_call::RuleRun;
use crate::rules::stream::active_rules::ActiveRules;
use crate::rules::stream::audit_run::judge;
use crate::rules::stream::evaluator::Evaluator;
use crate::rules::stream::ordering::{FindingOrders, record_order};
use crate::rules::text::tables;
use crate::rules::transaction::transaction_view::TransactionView;
use crate::rules::trigger::arrival::{EventArrival, MemoryScope, RowArrival};
use crate::rules::trigger::{on_event, on_row, on_transaction};
use crate::rules::views::row_position::RowPosition;
use crate::stream::change::{
    AuditFact, ChangeTransaction, ReceivedEvent, RuleInput, SourceKind, TableSchema,
};
use std::sync::{Arc, PoisonError};

impl Evaluator {
    /// Evaluates one input; findings are appended in the order of changes and rules.
    pub fn evaluate(&mut self, input: &RuleInput, out: &mut Vec<Finding>) {
        self.orders.iter_mut().for_each(FindingOrders::next_input);
        match input {
            RuleInput::Transaction(transaction) => self.transaction(transaction, out),
            RuleInput::Event(event) => self.event(event, out),
            RuleInput::AtRest(fact) => self.fact(fact, out),
            RuleInput::Watermark { source, at_us } => self.on_watermark(*source, *at_us, out),
        }
    }

    fn transaction(&mut self, transaction: &Arc<ChangeTransaction>, out: &mut Vec<Finding>) {
        let set = Arc::clone(&self.set);
        self.marks[source_index(SourceKind::Binlog)].input(&transaction.position);
        // A redelivered transaction gives the same verdicts again, which are known
        // by their ids; but nothing in it is new to a window or a pair.
        let is_new = self.transactions.is_new(&transaction.position);
        if self.learns {
            self.balances
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .learn(transaction);
        }
        let active = ActiveRules {
            set: &set,
            only: self.only,
            assigned: &self.assigned,
        };
        let mut run = RuleRun::new(&set, &mut self.scope, &mut self.errors, out, &self.balances)
            .metered(&mut self.meter);
        let mut scope = MemoryScope {
            memories: &mut self.memories,
            holds: &mut self.holds,
            watermarks: &self.watermarks,
            kept_columns: &mut self.kept_columns,
            events: &mut self.marks[1],
        };
        let touched = rows(
            &mut run,
            &mut scope,
            &active,
            (transaction, is_new),
            &mut self.orders,
        );
        let mut view = None;
        for rule in set.plan.of_tables(touched) {
            if active.contains(rule) {
                let tx = view
                    .get_or_insert_with(|| TransactionView::new(transaction, &set.transaction_keys))
                    .clone();
                on_transaction(&mut run, rule, tx, &transaction.position);
                record_order(&mut self.orders, &run, usize::MAX, rule);
            }
        }
        self.kept_columns.end_input();
    }

    fn event(&mut self, event: &Arc<ReceivedEvent>, out: &mut Vec<Finding>) {
        self.marks[source_index(SourceKind::Kafka)].input(&event.position);
        if !self.is_new_event(event) {
            return;
        }
        let set = Arc::clone(&self.set);
        let active = ActiveRules {
            set: &set,
            only: self.only,
            assigned: &self.assigned,
        };
        let mut run = RuleRun::new(&set, &mut self.scope, &mut self.errors, out, &self.balances)
            .metered(&mut self.meter);
        let mut scope = MemoryScope {
            memories: &mut self.memories,
            holds: &mut self.holds,
            watermarks: &self.watermarks,
            kept_columns: &mut self.kept_columns,
            events: &mut self.marks[1],
        };
        let watches = set.plan.by_event.get(&event.body.kind);
        for (turn, watch) in watches.into_iter().flatten().enumerate() {
            if active.contains(watch.rule) {
                let watch = *watch;
                on_event(&mut run, &mut scope, EventArrival { watch, event });
                record_order(&mut self.orders, &run, 0, turn);
            }
        }
    }

    /// Under one id, only the same words are the same event.
    fn is_new_event(&mut self, event: &ReceivedEvent) -> bool {
        let body = &event.body;
        self.events.is_new(&(
            &body.id,
            &body.kind,
            &body.account_id,
            &body.biz_no,
            body.amount,
            &body.currency,
        ))
    }

    fn fact(&mut self, fact: &Arc<AuditFact>, out: &mut Vec<Finding>) {
        let set = Arc::clone(&self.set);
        let mut run = RuleRun::new(&set, &mut self.scope, &mut self.errors, out, &self.balances)
            .metered(&mut self.meter);
        let active = ActiveRules {
            set: &set,
            only: self.only,
            assigned: &self.assigned,
        };
        judge(&mut run, std::slice::from_ref(fact), |rule| {
            active.contains(rule)
        });
    }
}

/// Hands each row to the rules that watch its table; returns a bit for each table touched.
fn rows(
    run: &mut RuleRun<'_>,
    scope: &mut MemoryScope<'_>,
    active: &ActiveRules<'_>,
    (transaction, is_new): (&ChangeTransaction, bool),
    orders: &mut Option<FindingOrders>,
) -> u32 {
    let mut touched = 0u32;
    let mut last: Option<(&Arc<TableSchema>, Option<usize>)> = None;
    for (at, change) in transaction.changes.iter().enumerate() {
        let table = match last {
            Some((same, table)) if Arc::ptr_eq(same, &change.table) => table,
            _ => tables::find(&change.table.name),
        };
        last = Some((&change.table, table));
        let Some(table) = table else { continue };
        touched |= 1 << table;
        let watches = active.set.plan.by_table.get(table);
        for (turn, watch) in watches.into_iter().flatten().enumerate() {
            if active.contains(watch.rule) {
                let row = RowArrival {
                    watch: *watch,
                    change,
                    row_position: RowPosition::new(&transaction.position, at),
                    is_new,
                };
                on_row(run, scope, row);
                record_order(orders, run, at, turn);
            }
        }
    }
    touched
}
