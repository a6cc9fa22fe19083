//! Log of trials: what shadow evaluated of each rule, and what it missed.

use crate::pipeline::shadow::budget::VersionKey;
use crate::workflow::trials::{RuleTrial, TrialGapCause};
use std::collections::BTreeMap;

/// Interval at which trials are written down, in µs, if no gap begins or ends.
const REPORT_INTERVAL_US: i64 = 1_000_000;

/// Trials of the versions that are in shadow now.
#[derive(Debug, Default)]
pub struct TrialLog {
    trials: BTreeMap<VersionKey, RuleTrial>,
    reported_us: i64,
}

impl TrialLog {
    /// Goes on with those that stay, and begins those that come.
    pub fn set(&mut self, versions: impl Iterator<Item = VersionKey>, at_us: i64) {
        let mut before = std::mem::take(&mut self.trials);
        for version in versions {
            let trial = before
                .remove(&version)
                .unwrap_or_else(|| RuleTrial::begins(&version.0, &version.1, at_us));
            self.trials.insert(version, trial);
        }
        self.reported_us = 0;
    }

    /// Every rule misses what passes from `from_us` on.
    pub fn all_miss(&mut self, from_us: i64, cause: TrialGapCause) {
        self.trials
            .values_mut()
            .for_each(|trial| trial.misses(from_us, cause));
        self.reported_us = 0;
    }

    pub fn misses(&mut self, version: &VersionKey, from_us: i64, cause: TrialGapCause) {
        if let Some(trial) = self.trials.get_mut(version) {
            trial.misses(from_us, cause);
        }
        self.reported_us = 0;
    }

    /// Everything that was handed over up to `at_us` is evaluated, by those that `saw` it.
    pub fn evaluated(&mut self, at_us: i64, saw: impl Fn(&VersionKey) -> bool) {
        self.trials
            .iter_mut()
            .filter(|(version, _)| saw(version))
            .for_each(|(_, trial)| trial.evaluated(at_us));
    }

    /// Trials to be written down, if it is time.
    pub fn report(&mut self, now_us: i64) -> Vec<RuleTrial> {
        if now_us.saturating_sub(self.reported_us) < REPORT_INTERVAL_US {
            return Vec::new();
        }
        self.reported_us = now_us;
        self.trials.values().cloned().collect()
    }
}
