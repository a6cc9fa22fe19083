//! Successors of rules inherit what those of the former set remembered.

use crate::rules::runtime::rule_selection::RuleSelection;
use crate::rules::runtime::rule_set::RuleSet;
use ahash::AHashMap;

/// For each rule of `new`, the rule of `old` whose memory it takes over: itself, or
/// else one with its id and trigger that does not go on itself. Each has one successor: a
/// candidate beside the armed version begins anew. Only rules of the selection remember
/// anything: what another evaluator's rule remembers is not there.
pub(crate) fn state_successors(
    old: &RuleSet,
    new: &RuleSet,
    selection: RuleSelection,
) -> Vec<Option<usize>> {
    let mut by_id: AHashMap<&str, Vec<usize>> = AHashMap::new();
    for (at, rule) in old.selected(selection) {
        by_id.entry(&rule.header.id).or_default().push(at);
    }
    let mut successors: Vec<Option<usize>> = vec![None; new.rules.len()];
    let mut taken = vec![false; old.rules.len()];
    for itself in [true, false] {
        for (rule, successor) in new
            .rules
            .iter()
            .zip(&mut successors)
            .filter(|(rule, successor)| successor.is_none() && selection.contains(rule))
        {
            let fits = |at: &usize| {
                let was = &old.rules[*at];
                !taken[*at]
                    && was.header.trigger == rule.header.trigger
                    && (!itself || was.hash == rule.hash)
            };
            *successor = by_id
                .get(rule.header.id.as_str())
                .into_iter()
                .flatten()
                .copied()
                .find(fits);
            if let Some(at) = *successor {
                taken[at] = true;
            }
        }
    }
    successors
}
