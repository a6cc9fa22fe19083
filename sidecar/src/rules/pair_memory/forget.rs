//! Decisions on halves that are kept, and their end.

use crate::rules::memory::account_holds::AccountHolds;
use crate::rules::pair_memory::{PairMemory, PairState};

impl PairMemory {
    /// Sets a half's state; one that waited holds no money any more.
    pub(super) fn decide(
        &mut self,
        holds: &mut AccountHolds,
        side: usize,
        id: u64,
        state: PairState,
    ) {
        let Some(item) = self.logs[side].get_mut(id) else {
            return;
        };
        let waited = std::mem::replace(&mut item.value.state, state) == PairState::Waiting;
        if waited && self.terms.require.of(side) {
            self.open -= 1;
            if self.terms.hold {
                holds.close(item.value.paired.account());
            }
        }
    }

    /// The oldest half of a side goes.
    pub(super) fn forget(&mut self, holds: &mut AccountHolds, side: usize) {
        if let Some((id, item)) = self.logs[side].front() {
            self.bytes = self.bytes.saturating_sub(item.value.bytes(&item.key));
            self.decide(holds, side, id, PairState::Met);
            self.logs[side].pop();
            self.undecided[side] = self.undecided[side].max(id + 1);
        }
    }

    /// Halves go that were kept for their time and have nothing left to wait for.
    pub(super) fn expire(&mut self, holds: &mut AccountHolds, side: usize, now_us: i64) {
        while let Some((id, item)) = self.logs[side].front() {
            let undecided = self.terms.require.of(side) && id >= self.undecided[side];
            let due = self.due[side].front().is_some_and(|first| id >= *first);
            if undecided || due || !item.is_past(self.terms.keep_us, now_us) {
                return;
            }
            self.forgotten_us[side] = self.forgotten_us[side].max(item.at_us);
            self.forget(holds, side);
        }
    }
}
