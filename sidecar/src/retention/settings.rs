//! Settings of retention: the age at which rows of the guard schema go.

use anyhow::ensure;
use serde::Deserialize;
use sluice_contract::settings::in_range;

/// Least age of anything that goes, in days; the procedures of `scripts/users.sql` refuse
/// what is younger too (dead letters may go earlier by their number). No binlog that is read
/// again, and no time in which a rule proves itself, reaches back that far.
const MIN_DAYS: u64 = 30;
const MAX_DAYS: u64 = 36_500;

/// Ages in days; 0 keeps the rows for ever.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionSettings {
    /// Verdicts, from when they were found.
    pub verdict_days: u64,
    /// Moves of breakers that a later move of the same breaker followed.
    pub breaker_transition_days: u64,
    /// Suppressions, from when they expired; no less than verdicts, which name them.
    pub suppression_days: u64,
    /// Runs over the data at rest; the last one stays.
    pub audit_run_days: u64,
    /// Business events that could not be read.
    pub dead_letter_days: u64,
    /// Pause between two rounds, in seconds.
    pub interval_s: u64,
}

impl Default for RetentionSettings {
    fn default() -> Self {
        RetentionSettings {
            verdict_days: 400,
            breaker_transition_days: 800,
            suppression_days: 800,
            audit_run_days: 400,
            dead_letter_days: 90,
            interval_s: 3_600,
        }
    }
}

impl RetentionSettings {
    /// Refuses what can't work; the error names the key.
    pub fn check(&self) -> anyhow::Result<()> {
        let ages = [
            ("verdict_days", self.verdict_days),
            ("breaker_transition_days", self.breaker_transition_days),
            ("suppression_days", self.suppression_days),
            ("audit_run_days", self.audit_run_days),
            ("dead_letter_days", self.dead_letter_days),
        ];
        for (name, days) in ages {
            ensure!(
                days == 0 || (MIN_DAYS..=MAX_DAYS).contains(&days),
                "retention.{name} = {days}: write 0 (for ever) or {MIN_DAYS} to {MAX_DAYS}"
            );
        }
        let outlives = match (self.suppression_days, self.verdict_days) {
            (0, _) => true,
            (_, 0) => false,
            (suppressions, verdicts) => suppressions >= verdicts,
        };
        ensure!(
            outlives,
            "retention.suppression_days = {} is below retention.verdict_days = {}, whose verdicts name suppressions; \
             write at least as much, or 0 (for ever)",
            self.suppression_days,
            self.verdict_days
        );
        in_range("retention.interval_s", self.interval_s, 1..=86_400)
    }
}
