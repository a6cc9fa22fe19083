//! The swap of an evaluator's rule set: a rule with the same id and trigger keeps what it
//! remembers.

use crate::rules::memory::kept_columns::KeptColumns;
use crate::rules::runtime::call_context::SharedBalances;
use crate::rules::runtime::rule_set::{CompiledRule, RuleSet};
use crate::rules::stream::evaluator::{Evaluator, assigned_of, margin_us, with_memory};
use crate::rules::stream::memory_shares::{memory_shares, memory_terms, new_memory};
use crate::rules::stream::state_successors::state_successors;
use crate::rules::text::tables::CATALOG_TABLES;
use crate::rules::trigger::rule_memory::RuleMemory;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Whether all that the rule reads was kept, when columns among `words` were.
pub(super) fn has_columns(
    memory: &RuleMemory,
    rule: &CompiledRule,
    words: &BTreeSet<String>,
) -> bool {
    match memory {
        RuleMemory::Pairs(_) => rule
            .words
            .iter()
            .all(|word| !is_column(word) || words.contains(word)),
        RuleMemory::Window(_) | RuleMemory::None => true,
    }
}

fn is_column(word: &str) -> bool {
    let tables = CATALOG_TABLES.iter();
    tables
        .flat_map(|table| table.columns)
        .any(|(name, _)| *name == word)
}

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
        if !self.learns {
            // They would stand still from here on.
            self.balances = SharedBalances::default();
        }
        // By the numbers of the former set.
        self.meter.settle();
        drop(self.meter.take());
        let mut memories: Vec<RuleMemory> = std::mem::take(&mut self.memories);
        let now_us = self.watermarks.iter().flatten().max().copied();
        let successors = state_successors(&old, &self.set, self.selection);
        let shares = memory_shares(&self.set, self.selection);
        self.kept_columns = KeptColumns::named(&self.set.words);
        let rules = self.set.rules.iter().zip(&self.assigned).zip(successors);
        for (((rule, assigned), successor), share) in rules.zip(shares) {
            if !assigned {
                self.memories.push(RuleMemory::None);
                continue;
            }
            let kept = successor.and_then(|old| memories.get_mut(old));
            let mut memory = match kept.filter(|memory| has_columns(memory, rule, &old.words)) {
                Some(memory) => std::mem::replace(memory, RuleMemory::None),
                None => {
                    let mut memory = new_memory(rule, share, now_us);
                    if now_us.is_some() {
                        memory.begin_late();
                    }
                    memory
                }
            };
            let terms = memory_terms(rule, share, now_us);
            memory.adopt(&mut self.holds, rule.header.mode, terms);
            self.memories.push(memory);
        }
        for memory in &memories {
            memory.release(&mut self.holds);
        }
        self.remember = with_memory(&self.memories);
    }
}
