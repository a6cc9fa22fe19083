//! Active rules: those that an evaluator calls.

use crate::rules::runtime::rule_set::RuleSet;

/// Rules that are evaluated: this evaluator's, or one alone.
#[derive(Clone, Copy)]
pub struct ActiveRules<'a> {
    pub set: &'a RuleSet,
    pub only: Option<usize>,
    pub assigned: &'a [bool],
}

impl ActiveRules<'_> {
    pub fn contains(&self, rule: usize) -> bool {
        if let Some(only) = self.only {
            return only == rule;
        }
        self.assigned.get(rule).is_some_and(|assigned| *assigned)
    }
}
