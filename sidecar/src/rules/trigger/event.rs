//! Event triggers: `fn check(event)` is called for each business event of a kind.

use crate::rules::runtime::rule_call::RuleRun;
use crate::rules::script::variable_kind::VariableKind;
use crate::rules::text::rule_mode::RuleMode;
use crate::rules::text::trigger_header::EventTrigger;
use crate::rules::trigger::arrival::EventArrival;
use crate::rules::trigger::checks::check_event;
use crate::rules::trigger::kind::{RuleFunction, TriggerKind, WatchPoint};
use crate::rules::trigger::rule_memory::{MemoryTerms, RuleMemory};
use crate::rules::views::event_view::EventView;
use std::sync::Arc;

impl EventTrigger {
    /// Calls the rule for the event.
    pub fn on_event(&self, run: &mut RuleRun<'_>, new: EventArrival<'_>) {
        let event = EventView(Arc::clone(new.event));
        let account = &new.event.body.account_id;
        run.call(
            new.watch.rule,
            "check",
            (event,),
            &new.event.position,
            account,
        );
    }
}

impl TriggerKind for EventTrigger {
    fn check(&self) -> Result<(), String> {
        check_event("trigger.event", &self.event)
    }

    fn functions(&self) -> Vec<RuleFunction> {
        vec![RuleFunction {
            name: "check",
            absence: "there is no `fn check(event)`",
            parameters: vec![Some(VariableKind::Event)],
        }]
    }

    fn check_name(&self, _of: VariableKind, _name: &str) -> Result<(), String> {
        Ok(())
    }

    fn watches(&self) -> Vec<WatchPoint> {
        vec![WatchPoint::Event {
            kind: self.event.clone(),
            side: 0,
        }]
    }

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
