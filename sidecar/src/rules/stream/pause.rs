//! Pauses of single rules, in shadow alone: an armed rule is never left out.

use crate::rules::stream::evaluator::{Evaluator, with_memory};
use crate::rules::stream::memory_shares::{memory_shares, new_memory};
use crate::rules::trigger::rule_memory::RuleMemory;

impl Evaluator {
    /// Leaves a rule out from here on, and forgets what it remembers: with inputs missing
    /// it would say what is not so.
    pub fn pause(&mut self, rule: usize) {
        let (Some(assigned), Some(memory)) =
            (self.assigned.get_mut(rule), self.memories.get_mut(rule))
        else {
            return;
        };
        *assigned = false;
        memory.release(&mut self.holds);
        *memory = RuleMemory::None;
        self.remember = with_memory(&self.memories);
    }

    /// Goes on with a rule that was left out, as with one that was not there before.
    pub fn resume(&mut self, rule: usize) {
        let (Some(assigned), Some(memory), Some(called)) = (
            self.assigned.get_mut(rule),
            self.memories.get_mut(rule),
            self.set.rules.get(rule),
        ) else {
            return;
        };
        if *assigned || !self.selection.contains(called) {
            return;
        }
        *assigned = true;
        let now_us = self.watermarks.iter().flatten().max().copied();
        let share = memory_shares(&self.set, self.selection)[rule];
        *memory = new_memory(called, share, now_us);
        self.remember = with_memory(&self.memories);
    }
}
