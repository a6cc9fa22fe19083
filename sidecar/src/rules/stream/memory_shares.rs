//! Shares of the memory: one bound for the process, parted by the set alone, so that any number
//! of workers finds the same.

use crate::rules::runtime::rule_selection::RuleSelection;
use crate::rules::runtime::rule_set::{CompiledRule, RuleSet};
use crate::rules::trigger::rule_memory::{MemoryTerms, RuleMemory};

/// Parts of the memory for rules in shadow, of four; the rest is for all others.
const SHADOW_QUARTERS: usize = 1;
/// Names of a window for which its values are kept beyond those shown.
const VALUE_WORDS: [&str; 2] = ["distinct", "seen"];

/// Share of each rule of the set, in bytes: those that remember something part what the
/// selection has by the time for which they do, a rule of a day some three times what one of a
/// minute gets.
pub fn memory_shares(set: &RuleSet, selection: RuleSelection) -> Vec<usize> {
    let quarters = match selection {
        RuleSelection::Shadow => SHADOW_QUARTERS,
        RuleSelection::Armed | RuleSelection::Live | RuleSelection::Every => 4 - SHADOW_QUARTERS,
    };
    let weights: Vec<usize> = set
        .rules
        .iter()
        .map(|rule| match selection.contains(rule) {
            true => weight(rule.header.trigger.kind().remembers_us()),
            false => 0,
        })
        .collect();
    let all: usize = weights.iter().sum();
    let bytes = set.memory_bytes / 4 * quarters / all.max(1);
    weights.into_iter().map(|weight| bytes * weight).collect()
}

/// One more for every doubling of the seconds.
fn weight(remembers_us: i64) -> usize {
    let seconds = u64::try_from(remembers_us / 1_000_000).unwrap_or(0);
    match remembers_us {
        0 => 0,
        _ => 1 + seconds.max(1).ilog2() as usize,
    }
}

/// Terms of a rule's memory. `now_us`: see [`MemoryTerms`].
pub fn memory_terms(rule: &CompiledRule, max_bytes: usize, now_us: Option<i64>) -> MemoryTerms {
    MemoryTerms {
        now_us,
        max_bytes,
        keeps_values: VALUE_WORDS.iter().any(|word| rule.words.contains(*word)),
    }
}

/// An empty memory of a rule.
pub fn new_memory(rule: &CompiledRule, max_bytes: usize, now_us: Option<i64>) -> RuleMemory {
    let terms = memory_terms(rule, max_bytes, now_us);
    rule.header.trigger.kind().memory(rule.header.mode, terms)
}
