//! Window triggers: `fn check(row, earlier)` is called for each row together with those
//! that its key had within `span_ms`.

use crate::rules::memory::window_memory::{WindowArrival, WindowMemory};
use crate::rules::runtime::rule_call::RuleRun;
use crate::rules::script::variable_kind::VariableKind;
use crate::rules::text::rule_mode::RuleMode;
use crate::rules::text::tables::{self, CATALOG_TABLES, ColumnKind};
use crate::rules::text::trigger_header::WindowTrigger;
use crate::rules::trigger::arrival::{MemoryScope, RowArrival};
use crate::rules::trigger::checks::{
    check_columns, check_filter, check_ops, check_positive, known_table, watch_rows,
};
use crate::rules::trigger::kind::{RuleFunction, TriggerKind, WatchPoint};
use crate::rules::trigger::matching::{account_of_change, column_value, key_of, passes};
use crate::rules::trigger::rule_memory::{MemoryTerms, RuleMemory};

impl WindowTrigger {
    /// Calls the rule for a row that passes and keeps its value. A redelivered row was
    /// counted already.
    pub fn on_row(&self, run: &mut RuleRun<'_>, scope: &mut MemoryScope<'_>, new: RowArrival<'_>) {
        let change = new.change;
        if !new.is_new || !passes(change, &self.ops, &self.only) {
            return;
        }
        let Some(image) = change.after.as_ref() else {
            return;
        };
        let (Some(key), Some(keep)) = (
            key_of(change, image, &self.key),
            column_value(change, image, &self.keep),
        ) else {
            return;
        };
        let rule = new.watch.rule;
        let row = WindowArrival {
            rule,
            key: &key,
            keep,
            row: change,
            row_position: new.row_position,
            account: account_of_change(change),
        };
        match scope.memories.get_mut(rule) {
            Some(RuleMemory::Window(window)) => window.arrive(run, row),
            Some(RuleMemory::None | RuleMemory::Pairs(_)) | None => {}
        }
    }
}

impl TriggerKind for WindowTrigger {
    fn check(&self) -> Result<(), String> {
        let known = known_table("trigger.table", &self.table)?;
        check_ops(&self.ops, false)?;
        if self.key.is_empty() {
            return Err("trigger.key is empty".to_owned());
        }
        check_positive("trigger.span_ms", self.span_ms)?;
        check_columns("trigger.key", known, self.key.iter())?;
        check_columns("trigger.keep", known, std::iter::once(&self.keep))?;
        check_filter("trigger.where", known, &self.only)
    }

    fn functions(&self) -> Vec<RuleFunction> {
        vec![RuleFunction {
            name: "check",
            absence: "there is no `fn check(row, earlier)`",
            parameters: vec![
                tables::find(&self.table).map(VariableKind::Row),
                Some(VariableKind::Earlier),
            ],
        }]
    }

    /// A window that keeps texts has no sum.
    fn check_name(&self, of: VariableKind, name: &str) -> Result<(), String> {
        if of != VariableKind::Earlier || name != "sum" {
            return Ok(());
        }
        let kind = tables::find(&self.table).and_then(|t| CATALOG_TABLES[t].column(&self.keep));
        if kind == Some(ColumnKind::Text) {
            let keep = &self.keep;
            return Err(format!("the window keeps {keep}, a text: it has no sum"));
        }
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
        12
    }

    fn memory(&self, _mode: RuleMode, terms: MemoryTerms) -> RuleMemory {
        let (keeps_values, max_bytes) = (terms.keeps_values, terms.max_bytes);
        let window = WindowMemory::new(self.span_ms, self.first, keeps_values, max_bytes);
        RuleMemory::Window(Box::new(window))
    }

    fn remembers_us(&self) -> i64 {
        i64::from(self.span_ms) * 1_000
    }

    /// A window says nothing of what is missing.
    fn missing_after_us(&self) -> Option<i64> {
        None
    }

    /// No event comes into a window.
    fn keep_us(&self) -> Option<i64> {
        None
    }
}
