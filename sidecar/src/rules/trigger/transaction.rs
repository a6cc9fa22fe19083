//! Transaction triggers: `fn check(tx)` is called once for each transaction that touches
//! one of the tables, with all of its rows.

use crate::rules::runtime::rule_call::RuleRun;
use crate::rules::script::variable_kind::VariableKind;
use crate::rules::text::rule_mode::RuleMode;
use crate::rules::text::tables;
use crate::rules::text::trigger_header::TransactionTrigger;
use crate::rules::transaction::transaction_view::TransactionView;
use crate::rules::trigger::checks::known_table;
use crate::rules::trigger::kind::{RuleFunction, TriggerKind, WatchPoint};
use crate::rules::trigger::rule_memory::{MemoryTerms, RuleMemory};
use std::sync::Arc;

impl TransactionTrigger {
    /// Calls the rule. Whose money it is, only the rule can tell.
    pub fn on_transaction(
        &self,
        run: &mut RuleRun<'_>,
        rule: usize,
        tx: TransactionView,
        position: &Arc<str>,
    ) {
        run.call(rule, "check", (tx,), position, "");
    }
}

impl TriggerKind for TransactionTrigger {
    fn check(&self) -> Result<(), String> {
        if self.tables.is_empty() {
            return Err("trigger.tables is empty".to_owned());
        }
        self.tables
            .iter()
            .try_for_each(|t| known_table("trigger.tables", t).map(drop))
    }

    fn functions(&self) -> Vec<RuleFunction> {
        vec![RuleFunction {
            name: "check",
            absence: "there is no `fn check(tx)`",
            parameters: vec![Some(VariableKind::Tx)],
        }]
    }

    fn check_name(&self, _of: VariableKind, _name: &str) -> Result<(), String> {
        Ok(())
    }

    fn watches(&self) -> Vec<WatchPoint> {
        let tables = self.tables.iter().filter_map(|t| tables::find(t));
        tables
            .map(|table| WatchPoint::Transaction { table })
            .collect()
    }

    /// A rule that also looks at tables that are seen decides by those.
    fn is_blind_without(&self, is_hidden: &dyn Fn(&str) -> bool) -> bool {
        self.tables.iter().all(|table| is_hidden(table))
    }

    /// No transaction has rows of two servers.
    fn needs_one_server(&self) -> bool {
        true
    }

    /// Sums and signatures over all rows.
    fn cost(&self) -> u64 {
        40
    }

    fn memory(&self, _mode: RuleMode, _terms: MemoryTerms) -> RuleMemory {
        RuleMemory::None
    }

    fn remembers_us(&self) -> i64 {
        0
    }

    fn missing_after_us(&self) -> Option<i64> {
        None
    }

    fn keep_us(&self) -> Option<i64> {
        None
    }
}
