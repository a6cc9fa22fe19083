//! Holds of a pair rule: accounts whose required side waits for its partner.

use crate::rules::memory::account_holds::AccountHolds;
use crate::rules::pair_memory::{PairMemory, PairState};
use crate::rules::text::rule_mode::RuleMode;

impl PairMemory {
    /// Takes over the mode of the rule's new version. What holds money goes on until it is
    /// decided, whoever ended the mode: a hold ends with its pair. What waits when holding
    /// begins holds too.
    pub fn adopt(&mut self, holds: &mut AccountHolds, mode: RuleMode, max_bytes: usize) {
        self.max_bytes = max_bytes;
        let terms = self.terms.in_mode(mode);
        match (self.terms.hold, terms.hold) {
            (true, false) => self.held_below = [0, 1].map(|side| self.logs[side].next_id()),
            (false, true) => {
                let free = self
                    .waiting()
                    .filter(|(side, id, _)| !self.holds(*side, *id));
                free.for_each(|(_, _, account)| holds.open(account));
                self.held_below = [0; 2];
            }
            (true, true) | (false, false) => {}
        }
        self.terms = terms;
    }

    /// Whether a half that waits holds its account's money.
    pub(super) fn holds(&self, side: usize, id: u64) -> bool {
        self.terms.hold || id < self.held_below[side]
    }

    /// Lets go of every hold, before this is dropped.
    pub fn release(&self, holds: &mut AccountHolds) {
        let held = self
            .waiting()
            .filter(|(side, id, _)| self.holds(*side, *id));
        held.for_each(|(_, _, account)| holds.close(account));
    }

    /// Halves whose partner is required and has not come: side, id and account.
    fn waiting(&self) -> impl Iterator<Item = (usize, u64, &str)> {
        let required = [0, 1]
            .into_iter()
            .filter(|side| self.terms.require.of(*side));
        let kept = required.flat_map(|side| {
            let items = self.logs[side].numbered();
            items.map(move |(id, kept)| (side, id, kept))
        });
        kept.filter(|(_, _, kept)| kept.state == PairState::Waiting)
            .map(|(side, id, kept)| (side, id, kept.paired.account()))
    }
}
