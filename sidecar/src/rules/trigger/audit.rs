//! Audit triggers: `fn check(item)` is called for each fact at rest, with everything that
//! must agree with it. Such a rule remembers nothing: the same fact gives the same answer.
//!
//! The item of its violation says which difference there is, and by how much, without
//! figures that move with honest traffic: a difference that stands is told by it from a new
//! one (see `audit::finding_id`).

use crate::rules::runtime::rule_call::RuleRun;
use crate::rules::script::variable_kind::VariableKind;
use crate::rules::text::audit_facts::fact_account;
use crate::rules::text::rule_mode::RuleMode;
use crate::rules::text::trigger_header::AuditTrigger;
use crate::rules::trigger::kind::{RuleFunction, TriggerKind, WatchPoint};
use crate::rules::trigger::rule_memory::{MemoryTerms, RuleMemory};
use crate::rules::views::fact_view::FactView;
use crate::stream::change::AuditFact;
use std::sync::Arc;

impl AuditTrigger {
    /// Calls the rule for the fact.
    pub fn on_fact(
        &self,
        run: &mut RuleRun<'_>,
        rule: usize,
        fact: &Arc<AuditFact>,
        position: &Arc<str>,
    ) {
        let item = FactView(Arc::clone(fact));
        run.call(rule, "check", (item,), position, fact_account(fact));
    }
}

impl TriggerKind for AuditTrigger {
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    fn functions(&self) -> Vec<RuleFunction> {
        vec![RuleFunction {
            name: "check",
            absence: "there is no `fn check(item)`",
            parameters: vec![Some(VariableKind::AtRest(self.of))],
        }]
    }

    fn check_name(&self, _of: VariableKind, _name: &str) -> Result<(), String> {
        Ok(())
    }

    fn watches(&self) -> Vec<WatchPoint> {
        vec![WatchPoint::Fact(self.of)]
    }

    /// The audit reads the tables themselves, wherever they are.
    fn is_blind_without(&self, _is_hidden: &dyn Fn(&str) -> bool) -> bool {
        false
    }

    fn needs_one_server(&self) -> bool {
        false
    }

    fn cost(&self) -> u64 {
        2
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
