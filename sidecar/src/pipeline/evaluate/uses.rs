//! Uses that armed rules make of the processor: published, and compared with the budget.
//! Past it somebody is told; an armed rule is never left out.

use crate::pipeline::evaluate::StreamEvaluator;
use crate::rules::runtime::rule_meter::RuleUse;
use crate::rules::runtime::rule_set::RuleSet;
use sluice_contract::clock::now_us;
use std::time::Duration;

/// Uses are published after this time.
const PUBLISH_INTERVAL_US: i64 = 100_000;
/// Time over which the budget is compared.
const BUDGET_INTERVAL_US: i64 = 1_000_000;

/// Processor time of each rule within the current second.
#[derive(Debug)]
pub struct ArmedUses {
    per_second: Duration,
    published_us: i64,
    since_us: i64,
    used: Vec<Duration>,
}

impl ArmedUses {
    pub fn new(per_second: Duration) -> Self {
        ArmedUses {
            per_second,
            published_us: 0,
            since_us: 0,
            used: Vec::new(),
        }
    }

    /// Adds the uses up to `now_us`; returns the rules that were past their budget, once in
    /// a second.
    fn add(&mut self, uses: &[RuleUse], now_us: i64) -> Vec<usize> {
        if self.used.len() < uses.len() {
            self.used.resize(uses.len(), Duration::ZERO);
        }
        for (sum, used) in self.used.iter_mut().zip(uses) {
            *sum += used.time;
        }
        let passed_us = now_us.saturating_sub(self.since_us);
        if passed_us < BUDGET_INTERVAL_US {
            return Vec::new();
        }
        // Whatever was idle since then may be spent: it was not used.
        let seconds = u32::try_from(passed_us / BUDGET_INTERVAL_US).unwrap_or(1);
        let allowed = self.per_second.saturating_mul(match self.since_us {
            0 => 1,
            _ => seconds,
        });
        self.since_us = now_us;
        let used = std::mem::take(&mut self.used);
        let over = used.iter().enumerate().filter(|(_, used)| **used > allowed);
        over.map(|(rule, _)| rule).collect()
    }

    /// Forgets the numbers of a set that another one takes the place of.
    fn renumber(&mut self) {
        self.used.clear();
    }
}

impl StreamEvaluator {
    /// Publishes what rules used, from time to time, and before their numbers change.
    pub(super) fn publish_uses(&mut self, renumbers: bool) {
        let now = now_us();
        if !renumbers && now.saturating_sub(self.uses.published_us) < PUBLISH_INTERVAL_US {
            return;
        }
        self.uses.published_us = now;
        let uses = self.evaluator.take_uses();
        let metrics = &self.metrics.rule_use;
        for (number, used) in uses.iter().enumerate().filter(|(_, used)| used.calls > 0) {
            if let Some(labels) = labels(&self.rules, number) {
                metrics.add(labels, used.calls, used.time, now);
            }
        }
        for (number, bytes) in self.evaluator.memory_bytes().into_iter().enumerate() {
            if let Some([rule, _]) = labels(&self.rules, number).filter(|_| bytes > 0) {
                let memory = self.metrics.state.memory.with_label_values(&[rule]);
                memory.set(i64::try_from(bytes).unwrap_or(i64::MAX));
            }
        }
        for number in self.uses.add(&uses, now) {
            let Some(labels) = labels(&self.rules, number) else {
                continue;
            };
            let over = metrics.over_budget.with_label_values(&labels);
            over.inc();
            // A rule that is dear for hours must not flood the log.
            if over.get().is_power_of_two() {
                tracing::error!(
                    rule = labels[0],
                    seconds = over.get(),
                    "an armed rule is past its processor budget: it is evaluated all the same"
                );
            }
        }
        if renumbers {
            self.uses.renumber();
        }
    }
}

/// Rule and mode of a number in the set.
fn labels(rules: &RuleSet, number: usize) -> Option<[&str; 2]> {
    let rule = rules.rules.get(number)?;
    Some([&rule.header.id, rule.header.mode.as_str()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_past_its_budget_is_named_once_a_second() {
        let ms = Duration::from_millis;
        let mut uses = ArmedUses::new(ms(100));
        let used = |a: u64, b: u64| {
            [a, b].map(|time| RuleUse {
                calls: 1,
                time: ms(time),
            })
        };
        assert_eq!(uses.add(&used(0, 0), 10_000_000), [0_usize; 0]);
        assert_eq!(uses.add(&used(60, 90), 10_400_000), [0_usize; 0]);
        assert_eq!(uses.add(&used(60, 5), 11_000_000), [0]);
        assert_eq!(uses.add(&used(90, 101), 12_000_000), [1]);
        // What came after three idle seconds had all of them.
        assert_eq!(uses.add(&used(250, 301), 15_000_000), [1]);
    }
}
