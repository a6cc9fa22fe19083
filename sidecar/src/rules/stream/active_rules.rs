//! Active rules: those that an evaluator calls.

use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::text::rule_mode::RuleMode;

/// Rules that are evaluated: this evaluator's, no drafts unless wished, or one alone.
#[derive(Clone, Copy)]
pub struct ActiveRules<'a> {
    pub set: &'a RuleSet,
    pub only: Option<usize>,
    pub drafts: bool,
    pub assigned: &'a [bool],
}

impl ActiveRules<'_> {
    pub fn contains(&self, rule: usize) -> bool {
        if let Some(only) = self.only {
            return only == rule;
        }
        let is_assigned = self.assigned.get(rule).is_some_and(|assigned| *assigned);
        is_assigned
            && self
                .set
                .rules
                .get(rule)
                .is_some_and(|rule| self.drafts || rule.header.mode != RuleMode::Draft)
    }
}
