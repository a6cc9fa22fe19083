//! Findings and errors that a call of a rule leaves.

use crate::rules::text::header::RuleHeader;
use crate::rules::views::trace::FindingDetail;
use rust_decimal::Decimal;
use sluice_contract::breaker::BreakerKey;
use sluice_contract::string_enum;
use std::sync::Arc;

string_enum! {
    /// The outcome of a rule for one change. A rule that could not decide (an error, a
    /// limit) is `Undetermined`: never a violation, never silence.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum FindingOutcome("a finding's outcome") {
        Violation = "violation",
        Undetermined = "undetermined",
    }
}

/// One thing that a rule found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// 32 hex digits derived from rule, position, account and item: the same change
    /// evaluated again is the same finding.
    pub verdict_id: String,
    /// The id of the same finding while the text was a candidate. None of a candidate's own.
    pub before: Option<String>,
    pub rule: Arc<RuleHeader>,
    /// 16 hex digits of the rule file that decided.
    pub rule_hash: String,
    pub outcome: FindingOutcome,
    /// Of a pair: the left side's, or that of the side whose partner is missing.
    pub position: Arc<str>,
    pub item: String,
    /// Empty if the rule could not tell.
    pub account: String,
    pub message: String,
    /// Only of a rule in mode `trip`: everything that it stops.
    pub breakers: Vec<BreakerKey>,
    /// Money at stake, in major units, if the rule says it.
    pub amount: Option<Decimal>,
    /// Everything that the rule looked at. None only where no rule was called.
    pub detail: Option<Arc<FindingDetail>>,
}

/// A rule that failed to evaluate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    pub rule: String,
    pub message: String,
}
