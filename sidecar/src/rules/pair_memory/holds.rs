//! Holds of a pair rule: accounts whose required side waits for its partner.

use crate::rules::memory::account_holds::AccountHolds;
use crate::rules::pair_memory::{PairMemory, PairState};
use crate::rules::text::rule_mode::RuleMode;

impl PairMemory {
    /// Takes over the mode of the rule's new version: if it changes whether money is held,
    /// all holds are counted anew.
    pub fn adopt(&mut self, holds: &mut AccountHolds, mode: RuleMode, max_bytes: usize) {
        self.max_bytes = max_bytes;
        let terms = self.terms.in_mode(mode);
        let was = std::mem::replace(&mut self.terms, terms);
        if was.hold != terms.hold {
            let accounts = self.waiting();
            accounts.for_each(|account| {
                if terms.hold {
                    holds.open(account)
                } else {
                    holds.close(account)
                }
            });
        }
    }

    /// Lets go of every hold, before this is dropped.
    pub fn release(&self, holds: &mut AccountHolds) {
        if self.terms.hold {
            self.waiting().for_each(|account| holds.close(account));
        }
    }

    fn waiting(&self) -> impl Iterator<Item = &str> {
        let required = [0, 1]
            .into_iter()
            .filter(|side| self.terms.require.of(*side));
        let kept = required.flat_map(|side| self.logs[side].values());
        kept.filter(|kept| kept.state == PairState::Waiting)
            .map(|kept| kept.paired.account())
    }
}
