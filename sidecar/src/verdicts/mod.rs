//! Verdicts: what rules found, as it is stored: every text fits its column.

mod column_text;
mod from_finding;
pub mod life;
pub mod open_repo;
pub mod repo;
mod request_origins;
mod rows_repo;
pub mod shadow_limit;

#[cfg(test)]
mod tests;

pub use crate::verdicts::column_text::cut;
pub use crate::verdicts::from_finding::verdicts;
pub use crate::verdicts::request_origins::{name_origins, origins_of};

use crate::rules::runtime::finding::FindingOutcome;
use crate::rules::{RuleMode, UNKNOWN_ITEM};
use crate::verdicts::life::VerdictLife;
use rust_decimal::Decimal;
use sluice_contract::breaker::{BreakerKey, keys_text};
use sluice_contract::traces::{SpanKind, TraceField, TraceParent, TraceSpan};

/// Width of `guard.verdict.breaker`.
const MAX_BREAKER_CHARS: usize = 64;

/// A row of `guard.verdict`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    pub verdict_id: String,
    /// The id while the same text was a candidate: said then, it is no news.
    pub before: Option<String>,
    pub rule: String,
    pub rule_hash: String,
    pub mode: &'static str,
    pub outcome: &'static str,
    pub position: String,
    pub item: String,
    pub account_id: String,
    pub message: String,
    /// To be opened, all of them.
    pub breakers: Vec<BreakerKey>,
    /// The set that the rule was evaluated with.
    pub set_version: i64,
    /// Money at stake, in major units.
    pub amount: Option<Decimal>,
    /// JSON: inputs, what was read of them, parameters.
    pub detail: Option<String>,
    /// The suppression that took its breakers away.
    pub suppression: Option<String>,
    /// Breakers that it moved; known at its commit.
    pub opened: i64,
    /// Of the rule that found it; empty if it has none.
    pub severity: &'static str,
    /// Of the request that it is about, if its transaction names it.
    pub correlation_id: Option<String>,
    /// Parent of its span, in that request's trace.
    pub trace: Option<TraceParent>,
}

impl Verdict {
    /// An armed rule said it, so that it pages somebody or stops money.
    pub fn is_armed(&self) -> bool {
        [RuleMode::Alert, RuleMode::Trip]
            .map(RuleMode::as_str)
            .contains(&self.mode)
    }

    /// Whether a person has to answer it, as it is written down.
    pub fn life(&self) -> VerdictLife {
        match (self.is_armed(), &self.suppression) {
            (false, _) => VerdictLife::Shadow,
            (true, None) => VerdictLife::Open,
            // Whoever suppresses has answered beforehand.
            (true, Some(_)) => VerdictLife::Answered,
        }
    }

    /// Nothing could be said, and its rule did nothing wrong.
    pub fn is_unknown(&self) -> bool {
        self.outcome == FindingOutcome::Undetermined.as_str() && self.item == UNKNOWN_ITEM
    }

    /// Writes the breakers' name as it is stored: `refund+settlement/account/A-17`, with `*`
    /// for every point.
    pub fn breaker_text(&self) -> Option<String> {
        keys_text(&self.breakers).map(|text| cut(&text, MAX_BREAKER_CHARS))
    }

    /// Logs the verdict, and traces it, once, when it is new.
    pub fn log(&self) {
        let breaker = self.breaker_text().unwrap_or_default();
        tracing::warn!(
            rule = self.rule,
            mode = self.mode,
            outcome = self.outcome,
            account = self.account_id,
            position = self.position,
            item = self.item,
            message = self.message,
            breaker,
            trips = !self.breakers.is_empty(),
            set = self.set_version,
            suppression = self.suppression.as_deref(),
            verdict = self.verdict_id,
            correlation = self.correlation_id.as_deref(),
            "verdict"
        );
        let mut span = TraceSpan::within("verdict", SpanKind::Internal, self.trace);
        span.set(TraceField::Rule, &self.rule);
        span.set(TraceField::Mode, self.mode);
        span.set(TraceField::Outcome, self.outcome);
    }
}
