//! The swap of an evaluator's rule set: a rule with the same id and trigger keeps what it
//! remembers.

use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::stream::evaluator::{Evaluator, assigned_of, margin_us, with_memory};
use crate::rules::stream::state_successors::state_successors;
use crate::rules::trigger::rule_memory::RuleMemory;
use std::sync::Arc;

impl Evaluator {
    /// Takes over another rule set.
    pub fn swap(&mut self, set: Arc<RuleSet>) {
        let all = vec![true; set.rules.len()];
        self.swap_assigned(set, all);
    }

    /// Takes over another rule set, of which this evaluator has the rules that `assigned`
    /// says. A rule that was this evaluator's must still be.
    pub fn swap_assigned(&mut self, set: Arc<RuleSet>, assigned: Vec<bool>) {
        self.assigned = assigned_of(&set, self.selection, assigned);
        let old = std::mem::replace(&mut self.set, set);
        self.margin_us = margin_us(&self.set, self.selection);
        self.learns = self.set.asks_balances(self.selection);
        // By the numbers of the former set.
        self.meter.settle();
        drop(self.meter.take());
        let mut memories: Vec<RuleMemory> = std::mem::take(&mut self.memories);
        let now_us = self.watermarks.iter().flatten().max().copied();
        let successors = state_successors(&old, &self.set, self.selection);
        let rules = self.set.rules.iter().zip(&self.assigned).zip(successors);
        for ((rule, assigned), successor) in rules {
            if !assigned {
                self.memories.push(RuleMemory::None);
                continue;
            }
            let header = &rule.header;
            let kept = successor.and_then(|old| memories.get_mut(old));
            let mut memory = match kept {
                Some(memory) => std::mem::replace(memory, RuleMemory::None),
                None => header.trigger.kind().memory(header.mode, now_us),
            };
            memory.adopt(&mut self.holds, header.mode);
            self.memories.push(memory);
        }
        for memory in &memories {
            memory.release(&mut self.holds);
        }
        self.remember = with_memory(&self.memories);
    }
}
