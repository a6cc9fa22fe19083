//! Steps of a rule on its way: what it needs, and the set that it leads to. Pure;
//! every reason against it is named, not only the first.

mod soak;
mod step_down;
mod step_up;

pub use step_down::{demote, disarm, retire, taken_back};
pub use step_up::promote;

use crate::rules::{RuleHeader, RuleMode, RuleSeverity, parse_header};
use crate::workflow::trials::RuleTrial;
use crate::workflow::{HOUR_US, RuleSetMember, RuleSetVersion};
use serde::Serialize;
use serde_json::Value;

/// Time that a second person has, in microseconds.
pub const PROPOSAL_LIFETIME_US: i64 = HOUR_US;
/// Findings an hour that a rule may have without declaring how many: a rule is about
/// losses, so some are a disaster and many are a mistake of the rule.
pub const DEFAULT_RATE_PER_HOUR: u32 = 10;

/// Verdicts of a version of a rule within the last hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RuleActivity {
    pub findings: u64,
    pub errors: u64,
}

/// Step that waits for a second person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PromotionProposal {
    /// The rule, or what else it is about: a breaker, a set, a suppression.
    pub rule: String,
    /// Of the rule's version, or of the content.
    pub rule_hash: String,
    /// `trip` or `retire`, or a word of `two_people::DisarmingStep`.
    pub step: String,
    /// The wish in full, unless rule and hash say it.
    pub content: Option<Value>,
    pub proposed_by: String,
    pub reason: String,
    pub created_us: i64,
    pub expires_us: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromotionStep {
    Promote(RuleMode),
    Retire,
}

impl PromotionStep {
    /// Word under which proposals keep it.
    pub fn as_str(self) -> &'static str {
        match self {
            PromotionStep::Promote(mode) => mode.as_str(),
            PromotionStep::Retire => "retire",
        }
    }
}

/// Evidence on the version that is to be promoted.
pub struct PromotionEvidence<'a> {
    pub header: &'a RuleHeader,
    pub seen: RuleActivity,
    /// Cases that fail, and what no case runs through.
    pub untested: &'a [String],
    /// Trial of it in shadow; None if nobody has evaluated it there yet.
    pub trial: Option<&'a RuleTrial>,
    /// Time for which it must have been evaluated there, in µs.
    pub soak_us: i64,
}

/// Finds the version that is meant: the candidate if there is one, else the rule itself.
pub fn subject<'a>(set: &'a RuleSetVersion, rule: &str) -> Option<&'a RuleSetMember> {
    set.candidate(rule).or_else(|| set.main(rule))
}

/// A step needs two people if it begins or ends that money is stopped.
pub fn needs_two(set: &RuleSetVersion, rule: &str, step: PromotionStep) -> bool {
    match step {
        PromotionStep::Promote(to) => to == RuleMode::Trip,
        PromotionStep::Retire => set
            .main(rule)
            .is_some_and(|m| m.mode == RuleMode::Trip || disarms(m, None)),
    }
}

/// Names the critical rules of `now` that `next` disarms; that takes two people.
pub fn disarmed<'a>(now: &'a RuleSetVersion, next: &RuleSetVersion) -> Vec<&'a str> {
    let armed = now.members.iter().filter(|m| !m.candidate);
    let gone = armed.filter(|m| disarms(m, next.main(&m.rule).map(|n| n.mode)));
    gone.map(|m| m.rule.as_str()).collect()
}

/// Whether a critical rule that goes to the mode `to`, or out of the set, stops less, or
/// calls nobody any more.
fn disarms(now: &RuleSetMember, to: Option<RuleMode>) -> bool {
    let to = to.unwrap_or(RuleMode::Draft);
    let header = parse_header(&now.rule, &now.text.body);
    // A header that can't be read any more might have been critical.
    let is_critical = header.map_or(true, |h| h.severity == RuleSeverity::Critical);
    now.armed() && is_critical && to < now.mode
}
