//! Budget of rules in shadow: processor time of each in a second. A rule that uses it up
//! sleeps for a second, and for twice as long each time that it does so again.

use std::collections::HashMap;
use std::time::Duration;

const SECOND_US: i64 = 1_000_000;
/// Longest sleep: a rule that is corrected is another version, and begins anew.
const MAX_SLEEP_US: i64 = 64 * SECOND_US;
/// A rule that kept its budget for this long after a sleep sleeps shortly again.
const FORGIVEN_AFTER_US: i64 = 60 * SECOND_US;

/// A version of a rule: its id and hash.
pub type VersionKey = (String, String);

#[derive(Debug, Default)]
struct RuleSpending {
    /// Beginning of the second that `used` is of.
    second_us: i64,
    used: Duration,
    /// Length of the last sleep; 0 without one.
    slept_us: i64,
    asleep_until_us: Option<i64>,
    woke_us: i64,
}

/// Spending of every rule in shadow.
#[derive(Debug)]
pub struct ShadowBudget {
    per_second: Duration,
    rules: HashMap<VersionKey, RuleSpending>,
}

impl ShadowBudget {
    pub fn new(per_second: Duration) -> Self {
        ShadowBudget {
            per_second,
            rules: HashMap::new(),
        }
    }

    /// Forgets versions that are not in the set any more.
    pub fn keep(&mut self, is_there: impl Fn(&VersionKey) -> bool) {
        self.rules.retain(|version, _| is_there(version));
    }

    /// Processor time that the rule may use now; nothing while it sleeps.
    pub fn left(&mut self, version: &VersionKey, now_us: i64) -> Duration {
        let Some(rule) = self.rules.get_mut(version) else {
            return self.per_second;
        };
        if rule.asleep_until_us.is_some() {
            return Duration::ZERO;
        }
        rule.renew(now_us);
        self.per_second.saturating_sub(rule.used)
    }

    /// Notes what the rule used. Returns until when it sleeps, if it went past its budget.
    pub fn spend(&mut self, version: &VersionKey, used: Duration, now_us: i64) -> Option<i64> {
        let rule = self.rules.entry(version.clone()).or_default();
        rule.renew(now_us);
        rule.used += used;
        if rule.used < self.per_second || rule.asleep_until_us.is_some() {
            return None;
        }
        if now_us.saturating_sub(rule.woke_us) >= FORGIVEN_AFTER_US {
            rule.slept_us = 0;
        }
        rule.slept_us = (rule.slept_us * 2).clamp(SECOND_US, MAX_SLEEP_US);
        let until_us = now_us.saturating_add(rule.slept_us);
        rule.asleep_until_us = Some(until_us);
        Some(until_us)
    }

    pub fn is_asleep(&self, version: &VersionKey) -> bool {
        let rule = self.rules.get(version);
        rule.is_some_and(|rule| rule.asleep_until_us.is_some())
    }

    /// Wakes those that have slept long enough.
    pub fn wake(&mut self, now_us: i64) -> Vec<VersionKey> {
        let mut awake = Vec::new();
        for (version, rule) in &mut self.rules {
            if rule
                .asleep_until_us
                .is_some_and(|until_us| until_us <= now_us)
            {
                rule.asleep_until_us = None;
                (rule.woke_us, rule.second_us, rule.used) = (now_us, now_us, Duration::ZERO);
                awake.push(version.clone());
            }
        }
        awake
    }
}

impl RuleSpending {
    fn renew(&mut self, now_us: i64) {
        if now_us.saturating_sub(self.second_us) >= SECOND_US {
            (self.second_us, self.used) = (now_us, Duration::ZERO);
        }
    }
}
