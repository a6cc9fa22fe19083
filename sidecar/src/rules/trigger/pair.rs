//! Pair triggers: `fn check(left, right)` is called for two rows or events that meet, and
//! `fn missing(one)` for a required side that has waited in vain. `pair_memory` keeps them.

use crate::rules::memory::paired_item::PairedItem;
use crate::rules::pair_memory::PairMemory;
use crate::rules::pair_memory::arrive::PairArrival;
use crate::rules::pair_memory::terms::PairTerms;
use crate::rules::runtime::rule_call::RuleRun;
use crate::rules::runtime::rule_plan::RuleWatch;
use crate::rules::script::variable_kind::VariableKind;
use crate::rules::text::pair_side::{PairSide, RequiredSides};
use crate::rules::text::rule_mode::RuleMode;
use crate::rules::text::trigger_header::PairTrigger;
use crate::rules::trigger::arrival::{EventArrival, MemoryScope, RowArrival};
use crate::rules::trigger::checks::{check_positive, watch_rows};
use crate::rules::trigger::kind::{RuleFunction, TriggerKind, WatchPoint};
use crate::rules::trigger::matching::{event_key, row_key};
use crate::rules::trigger::pair_sides::{check_per, check_side, variable_of};
use crate::rules::trigger::rule_memory::{MemoryTerms, RuleMemory};
use std::sync::Arc;

impl PairTrigger {
    /// Lets a row meet its partners. A redelivered row has met them already.
    pub fn on_row(&self, run: &mut RuleRun<'_>, scope: &mut MemoryScope<'_>, new: RowArrival<'_>) {
        if !new.is_new {
            return;
        }
        let Some(key) = row_key(new.change, self.side(new.watch.side)) else {
            return;
        };
        let kept = scope.kept_columns.of(new.change);
        let item = PairedItem::Row(kept, new.row_position.row);
        meet(
            run,
            scope,
            new.watch,
            (&key, item),
            &new.row_position.position,
        );
    }

    /// Lets an event meet its partners.
    pub fn on_event(
        &self,
        run: &mut RuleRun<'_>,
        scope: &mut MemoryScope<'_>,
        new: EventArrival<'_>,
    ) {
        let key = event_key(new.event, self.side(new.watch.side));
        let item = PairedItem::Event(Arc::clone(new.event));
        meet(run, scope, new.watch, (&key, item), &new.event.position);
    }

    fn side(&self, side: usize) -> &PairSide {
        if side == 0 { &self.left } else { &self.right }
    }
}

fn meet(
    run: &mut RuleRun<'_>,
    scope: &mut MemoryScope<'_>,
    watch: RuleWatch,
    (key, paired): (&str, PairedItem),
    position: &Arc<str>,
) {
    let new = PairArrival {
        rule: watch.rule,
        side: watch.side,
        key,
        paired,
        position,
    };
    match scope.memories.get_mut(watch.rule) {
        Some(RuleMemory::Pairs(pairs)) => {
            pairs.arrive(run, scope.holds, new, scope.watermarks, scope.events);
        }
        Some(RuleMemory::None | RuleMemory::Window(_)) | None => {}
    }
}

impl TriggerKind for PairTrigger {
    fn check(&self) -> Result<(), String> {
        let (delay_ms, within_ms) = (self.delay_ms, self.within_ms);
        check_positive("trigger.within_ms", within_ms)?;
        check_positive("trigger.keep_ms", self.keep_ms)?;
        if delay_ms > within_ms {
            return Err(format!(
                "trigger.delay_ms = {delay_ms} is longer than within_ms = {within_ms}"
            ));
        }
        check_side("trigger.left", &self.left)?;
        check_side("trigger.right", &self.right)?;
        if let Some(per) = self.per {
            check_per(per, delay_ms, [&self.left, &self.right])?;
        }
        match [&self.left, &self.right].map(|side| side.key.all().len()) {
            [0, _] => Err("trigger.left.key is empty".to_owned()),
            [left, right] if left != right => {
                Err("trigger.right.key needs as many parts as the left one".to_owned())
            }
            [_, _] => Ok(()),
        }
    }

    fn functions(&self) -> Vec<RuleFunction> {
        let sides = [variable_of(&self.left), variable_of(&self.right)];
        let check = RuleFunction {
            name: "check",
            absence: "there is no `fn check(left, right)`",
            parameters: sides.to_vec(),
        };
        let one = match self.require {
            RequiredSides::None => return vec![check],
            RequiredSides::Left => sides[0],
            RequiredSides::Right => sides[1],
            RequiredSides::Both => sides[0].filter(|_| sides[0] == sides[1]),
        };
        let missing = RuleFunction {
            name: "missing",
            absence: "there is no `fn missing(one)`, which `require` calls",
            parameters: vec![one],
        };
        vec![check, missing]
    }

    fn check_name(&self, _of: VariableKind, _name: &str) -> Result<(), String> {
        Ok(())
    }

    fn watches(&self) -> Vec<WatchPoint> {
        let sides = [&self.left, &self.right].into_iter().enumerate();
        sides
            .filter_map(
                |(side, declared)| match (&declared.table, &declared.event) {
                    (Some(table), _) => watch_rows(table, side),
                    (None, Some(event)) => Some(WatchPoint::Event {
                        kind: event.clone(),
                        side,
                    }),
                    (None, None) => None,
                },
            )
            .collect()
    }

    /// One side that is not seen makes the other one miss it.
    fn is_blind_without(&self, is_hidden: &dyn Fn(&str) -> bool) -> bool {
        let mut tables = [&self.left, &self.right].into_iter().map(|s| &s.table);
        tables.any(|table| table.as_ref().is_some_and(|table| is_hidden(table)))
    }

    fn needs_one_server(&self) -> bool {
        false
    }

    fn cost(&self) -> u64 {
        15
    }

    fn memory(&self, mode: RuleMode, terms: MemoryTerms) -> RuleMemory {
        let pairs = PairMemory::new(PairTerms::of(self, mode), terms.now_us, terms.max_bytes);
        RuleMemory::Pairs(Box::new(pairs))
    }

    fn remembers_us(&self) -> i64 {
        i64::from(self.keep_ms.max(self.within_ms)) * 1_000
    }

    fn missing_after_us(&self) -> Option<i64> {
        match self.require {
            RequiredSides::None => None,
            RequiredSides::Left | RequiredSides::Right | RequiredSides::Both => {
                Some(i64::from(self.within_ms) * 1_000)
            }
        }
    }

    fn keep_us(&self) -> Option<i64> {
        Some(i64::from(self.keep_ms.max(self.within_ms)) * 1_000)
    }
}
