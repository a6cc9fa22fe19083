//! Row triggers: `fn check(row)` is called for each row of a table that passes the filter.
//! Nothing is remembered: the same row gives the same verdict.

use crate::rules::runtime::rule_call::RuleRun;
use crate::rules::script::variable_kind::VariableKind;
use crate::rules::text::rule_mode::RuleMode;
use crate::rules::text::tables;
use crate::rules::text::trigger_header::RowTrigger;
use crate::rules::trigger::arrival::RowArrival;
use crate::rules::trigger::checks::{
    check_columns, check_filter, check_ops, known_table, watch_rows,
};
use crate::rules::trigger::kind::{RuleFunction, TriggerKind, WatchPoint};
use crate::rules::trigger::matching::{account_of_change, has_changed, passes};
use crate::rules::trigger::rule_memory::{MemoryTerms, RuleMemory};
use crate::rules::views::row_view::RowView;
use std::sync::Arc;

impl RowTrigger {
    /// Calls the rule for a row that passes.
    pub fn on_row(&self, run: &mut RuleRun<'_>, new: RowArrival<'_>) {
        let change = new.change;
        if !passes(change, &self.ops, &self.only) || !has_changed(change, &self.changed) {
            return;
        }
        let position = Arc::clone(&new.row_position.position);
        let row = RowView {
            change: Arc::clone(change),
            row_position: new.row_position,
        };
        let account = account_of_change(change);
        run.call(new.watch.rule, "check", (row,), &position, account);
    }
}

impl TriggerKind for RowTrigger {
    fn check(&self) -> Result<(), String> {
        let known = known_table("trigger.table", &self.table)?;
        check_ops(&self.ops, true)?;
        check_columns("trigger.changed", known, self.changed.iter())?;
        check_filter("trigger.where", known, &self.only)
    }

    fn functions(&self) -> Vec<RuleFunction> {
        vec![RuleFunction {
            name: "check",
            absence: "there is no `fn check(row)`",
            parameters: vec![tables::find(&self.table).map(VariableKind::Row)],
        }]
    }

    fn check_name(&self, _of: VariableKind, _name: &str) -> Result<(), String> {
        Ok(())
    }

    fn watches(&self) -> Vec<WatchPoint> {
        watch_rows(&self.table, 0).into_iter().collect()
    }

    fn is_blind_without(&self, is_hidden: &dyn Fn(&str) -> bool) -> bool {
        is_hidden(&self.table)
    }

    fn needs_one_server(&self) -> bool {
        false
    }

    fn cost(&self) -> u64 {
        8
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
