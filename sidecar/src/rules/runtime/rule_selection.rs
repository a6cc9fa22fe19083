//! Selection of rules: those of a set that one evaluator is for.

use crate::rules::runtime::rule_set::{CompiledRule, RuleSet};
use crate::rules::text::rule_mode::RuleMode;

/// Rules of a set, by how far their word goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleSelection {
    /// Rules that page somebody or stop money: the fence waits for them, and for no others.
    Armed,
    /// Candidates and rules in shadow: nothing waits for them.
    Shadow,
    /// All but drafts.
    Live,
    /// Drafts too: in cases and backtests.
    Every,
}

impl RuleSelection {
    pub fn contains(self, rule: &CompiledRule) -> bool {
        let is_draft = rule.header.mode == RuleMode::Draft;
        match self {
            RuleSelection::Armed => rule.is_armed(),
            RuleSelection::Shadow => !is_draft && !rule.is_armed(),
            RuleSelection::Live => !is_draft,
            RuleSelection::Every => true,
        }
    }
}

impl RuleSet {
    /// Rules of the selection, with their numbers.
    pub fn selected(
        &self,
        selection: RuleSelection,
    ) -> impl Iterator<Item = (usize, &CompiledRule)> + Clone {
        let rules = self.rules.iter().enumerate();
        rules.filter(move |(_, rule)| selection.contains(rule))
    }

    /// Whether any rule of the selection asks for balances.
    pub fn asks_balances(&self, selection: RuleSelection) -> bool {
        self.asks_balances && self.selected(selection).any(|(_, rule)| rule.asks)
    }
}
