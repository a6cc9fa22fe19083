//! Delayed comparison: halves that met are compared once both sources passed the delay.

use crate::rules::memory::watermarks::{SourceWatermarks, source_index};
use crate::rules::pair_memory::PairMemory;
use crate::rules::runtime::rule_call::RuleRun;
use std::sync::Arc;

impl PairMemory {
    /// Compares what met and has had its time to change: the newest of each side.
    pub(super) fn compare_due(
        &mut self,
        run: &mut RuleRun<'_>,
        rule: usize,
        watermarks: &SourceWatermarks,
    ) {
        let [one, other] = self
            .terms
            .sources
            .map(|source| watermarks[source_index(source)]);
        let Some(now_us) = one.zip(other).map(|(one, other)| one.min(other)) else {
            return;
        };
        for side in [0, 1] {
            while let Some(id) = self.due[side].front().copied() {
                let item = self.logs[side].get(id);
                if item.is_some_and(|item| !item.is_past(self.terms.delay_us, now_us)) {
                    break;
                }
                self.due[side].pop_front();
                if let Some(key) = item.map(|item| Arc::clone(&item.key)) {
                    self.compare_newest(run, rule, &key);
                }
            }
        }
    }

    pub(super) fn compare_newest(&mut self, run: &mut RuleRun<'_>, rule: usize, key: &str) {
        let [Some(left), Some(right)] =
            [0, 1].map(|side: usize| self.logs[side].chain(key, 1).first().copied())
        else {
            return;
        };
        if self.logs[0]
            .get(left)
            .is_some_and(|item| item.value.compared == Some(right))
        {
            return;
        }
        if let Some(item) = self.logs[0].get_mut(left) {
            item.value.compared = Some(right);
        }
        let (Some(left), Some(right)) = (self.logs[0].get(left), self.logs[1].get(right)) else {
            return;
        };
        let args = (
            left.value.paired.view(&left.position),
            right.value.paired.view(&right.position),
        );
        run.call(
            rule,
            "check",
            args,
            &left.position,
            left.value.paired.account(),
        );
    }
}
