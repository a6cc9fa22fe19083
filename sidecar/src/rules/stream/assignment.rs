//! Assignment of rules to workers. A rule is one worker's alone, with all that it
//! remembers; the result is the same however they are assigned.

use crate::rules::runtime::rule_selection::RuleSelection;
use crate::rules::runtime::rule_set::{CompiledRule, RuleSet};
use crate::rules::stream::state_successors::state_successors;

/// Assigns a set: for each rule its worker.
pub fn assign_rules(set: &RuleSet, workers: usize, selection: RuleSelection) -> Vec<usize> {
    assign_by_cost(set, workers, selection, |_| None)
}

/// Assigns a set anew, but rules that were assigned before stay where their memory is.
pub fn reassign_rules(
    set: &RuleSet,
    workers: usize,
    selection: RuleSelection,
    old: &RuleSet,
    assigned: &[usize],
) -> Vec<usize> {
    let successors = state_successors(old, set, selection);
    assign_by_cost(set, workers, selection, |rule| {
        assigned.get((*successors.get(rule)?)?).copied()
    })
}

fn assign_by_cost(
    set: &RuleSet,
    workers: usize,
    selection: RuleSelection,
    stays: impl Fn(usize) -> Option<usize>,
) -> Vec<usize> {
    let weights: Vec<u64> = set
        .rules
        .iter()
        .map(|rule| rule_cost(rule, selection))
        .collect();
    let mut loads = vec![0_u64; workers];
    let mut shares = vec![None; set.rules.len()];
    for (rule, share) in shares.iter_mut().enumerate() {
        *share = stays(rule).filter(|worker| *worker < workers);
        if let Some(worker) = *share {
            loads[worker] += weights[rule];
        }
    }
    // The heaviest first, each to whoever has least.
    let mut order: Vec<usize> = (0..shares.len())
        .filter(|rule| shares[*rule].is_none())
        .collect();
    order.sort_by_key(|rule| std::cmp::Reverse(weights[*rule]));
    for rule in order {
        let worker = (0..workers)
            .min_by_key(|worker| loads[*worker])
            .unwrap_or(0);
        loads[worker] += weights[rule];
        shares[rule] = Some(worker);
    }
    shares.into_iter().map(|share| share.unwrap_or(0)).collect()
}

/// The rough cost of a rule, in tenths of a microsecond per transaction of the core.
fn rule_cost(rule: &CompiledRule, selection: RuleSelection) -> u64 {
    if !selection.contains(rule) {
        return 0;
    }
    rule.header.trigger.kind().cost()
}
