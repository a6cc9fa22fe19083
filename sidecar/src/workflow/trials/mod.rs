//! Trials of rules in shadow: for how long each version was evaluated, and what it missed.
//! Shadow is evaluated when there is time for it, so that no finding is proof of nothing
//! while there was a gap.

pub mod repo;
#[cfg(test)]
mod tests;

use serde::Serialize;
use sluice_contract::string_enum;

string_enum! {
    /// The cause of a gap in a trial.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum TrialGapCause("a gap's cause") {
        /// More came in than shadow could evaluate.
        QueueFull = "queue_full",
        /// The rule went past its processor budget, and sleeps.
        OverBudget = "over_budget",
        /// Evaluation of shadow failed and begins anew.
        Failed = "failed",
        /// Nobody evaluated it: the sidecar was started again, or another took over, or the
        /// version was not in shadow.
        NotRunning = "not_running",
    }
}

impl TrialGapCause {
    /// Whether the rule, or shadow as a whole, was too slow: not a matter of a restart.
    pub fn is_of_load(self) -> bool {
        match self {
            TrialGapCause::QueueFull | TrialGapCause::OverBudget | TrialGapCause::Failed => true,
            TrialGapCause::NotRunning => false,
        }
    }

    /// Says it to a person.
    pub fn explain(self) -> &'static str {
        match self {
            TrialGapCause::QueueFull => "more came in than shadow could evaluate",
            TrialGapCause::OverBudget => "it went past its processor budget and slept",
            TrialGapCause::Failed => "evaluation of shadow failed",
            TrialGapCause::NotRunning => "nobody evaluated it: a restart, or it was not in shadow",
        }
    }
}

/// A time in which a rule saw nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrialGap {
    pub from_us: i64,
    /// None while it lasts.
    pub until_us: Option<i64>,
    pub cause: TrialGapCause,
}

/// Trial of one version of a rule. Times are the clock's, in µs since 1970 UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleTrial {
    pub rule: String,
    /// 16 hex digits of the version.
    pub rule_hash: String,
    pub since_us: i64,
    /// Evaluated up to here.
    pub until_us: i64,
    /// Time of which the rule saw everything.
    pub evaluated_us: i64,
    pub gaps: i64,
    /// The last one.
    pub gap: Option<TrialGap>,
}

impl RuleTrial {
    pub fn begins(rule: &str, rule_hash: &str, at_us: i64) -> RuleTrial {
        RuleTrial {
            rule: rule.to_owned(),
            rule_hash: rule_hash.to_owned(),
            since_us: at_us,
            until_us: at_us,
            evaluated_us: 0,
            gaps: 0,
            gap: None,
        }
    }

    /// Everything since the last time was evaluated, up to `at_us`; a gap is over.
    pub fn evaluated(&mut self, at_us: i64) {
        match &mut self.gap {
            Some(TrialGap {
                until_us: until @ None,
                ..
            }) => *until = Some(at_us),
            Some(_) | None => self.evaluated_us += at_us.saturating_sub(self.until_us).max(0),
        }
        self.until_us = self.until_us.max(at_us);
    }

    /// Nothing is seen from `from_us` on. One gap is one, however often it is told.
    pub fn misses(&mut self, from_us: i64, cause: TrialGapCause) {
        if self.gap.is_some_and(|gap| gap.until_us.is_none()) {
            return;
        }
        self.gaps += 1;
        self.gap = Some(TrialGap {
            from_us: from_us.min(self.until_us),
            until_us: None,
            cause,
        });
    }

    /// Puts this trial behind an earlier one of the same version: in between nobody evaluated it.
    #[must_use]
    pub fn after(&self, earlier: Option<&RuleTrial>) -> RuleTrial {
        let Some(earlier) = earlier else {
            return self.clone();
        };
        let between = TrialGap {
            from_us: earlier.until_us,
            until_us: Some(self.since_us.max(earlier.until_us)),
            cause: TrialGapCause::NotRunning,
        };
        RuleTrial {
            since_us: earlier.since_us,
            evaluated_us: earlier.evaluated_us + self.evaluated_us,
            gaps: earlier.gaps + 1 + self.gaps,
            gap: self.gap.or(Some(between)),
            ..self.clone()
        }
    }

    /// The last gap, if it reaches into the time since `since_us` and is one of load.
    pub fn gap_of_load(&self, since_us: i64) -> Option<TrialGap> {
        let recent = |gap: &TrialGap| gap.until_us.is_none_or(|until_us| until_us > since_us);
        self.gap.filter(|gap| gap.cause.is_of_load()).filter(recent)
    }
}
