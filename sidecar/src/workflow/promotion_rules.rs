//! One step of a rule on its way: what it needs, and the set that it leads to. Pure;
//! every reason against it is named, not only the first.

use crate::rules::{RuleHeader, RuleMode};
use crate::workflow::{HOUR_US, RuleSetMember, RuleSetVersion};
use serde::Serialize;

/// How long a second person has time.
pub const PROPOSAL_LIFETIME_US: i64 = HOUR_US;
/// Findings an hour that a rule may have without declaring how many: a rule is about
/// losses, so some are a disaster and many are a mistake of the rule.
pub const DEFAULT_RATE_PER_HOUR: u32 = 10;

/// What a version of a rule found within the last hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RuleActivity {
    pub findings: u64,
    pub errors: u64,
}

/// What waits for a second person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PromotionProposal {
    pub rule: String,
    pub rule_hash: String,
    /// `trip` or `retire`.
    pub step: String,
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
    /// As proposals keep it.
    pub fn as_str(self) -> &'static str {
        match self {
            PromotionStep::Promote(mode) => mode.as_str(),
            PromotionStep::Retire => "retire",
        }
    }
}

/// What is known of the version that is to be promoted.
pub struct PromotionEvidence<'a> {
    pub header: &'a RuleHeader,
    pub seen: RuleActivity,
    /// Cases that fail, and what no case runs through.
    pub untested: &'a [String],
}

/// The one that is meant: the candidate if there is one, else the rule itself.
pub fn subject<'a>(set: &'a RuleSetVersion, rule: &str) -> Option<&'a RuleSetMember> {
    set.candidate(rule).or_else(|| set.main(rule))
}

/// Whether a step needs two people.
pub fn needs_two(set: &RuleSetVersion, rule: &str, step: PromotionStep) -> bool {
    match step {
        PromotionStep::Promote(to) => to == RuleMode::Trip,
        PromotionStep::Retire => set.main(rule).is_some_and(|m| m.mode == RuleMode::Trip),
    }
}

/// The next set, or every reason why not.
pub fn promote(
    set: &RuleSetVersion,
    rule: &str,
    hash: &str,
    to: RuleMode,
    known: &PromotionEvidence<'_>,
    now_us: i64,
) -> Result<RuleSetVersion, Vec<String>> {
    let Some(subject) = subject(set, rule) else {
        return Err(vec![format!(
            "there is no rule {rule} in set {}",
            set.version
        )]);
    };
    let mut against = order(set, subject, to);
    if subject.text.rule_hash != hash {
        against.push(format!(
            "the version in the set has the hash {}, not {hash}: somebody edited it meanwhile; look at it again",
            subject.text.rule_hash
        ));
    }
    if to == RuleMode::Trip && known.header.breakers.is_empty() {
        against
            .push("its header names no breaker, so there is nothing that it could trip".to_owned());
    }
    against.extend(known.untested.iter().cloned());
    if known.seen.errors > 0 {
        against.push(format!(
            "it failed to evaluate {} time(s) within the last hour on live traffic; correct it",
            known.seen.errors
        ));
    }
    let rate = known.header.rate_per_hour.unwrap_or(DEFAULT_RATE_PER_HOUR);
    if known.seen.findings > u64::from(rate) {
        against.push(format!(
            "it found {} within the last hour, more than its declared rate_per_hour of {rate}",
            known.seen.findings
        ));
    }
    if !against.is_empty() {
        return Err(against);
    }
    let armed = RuleSetMember {
        mode: to,
        candidate: false,
        demoted: false,
        since_us: now_us,
        ..subject.clone()
    };
    let mut members = set.members.clone();
    members.retain(|m| m.rule != rule);
    members.push(armed);
    Ok(RuleSetVersion::new(set.version + 1, members))
}

/// One step at a time. A candidate takes the place of the armed version, so it may go
/// as far as that one at once, and never less far: that would disarm the rule.
fn order(set: &RuleSetVersion, subject: &RuleSetMember, to: RuleMode) -> Vec<String> {
    let from = subject.mode;
    let armed = set
        .main(&subject.rule)
        .filter(|m| subject.candidate && m.armed())
        .map(|m| m.mode);
    let next = match (from, armed) {
        (RuleMode::Draft, _) => RuleMode::Shadow,
        (_, Some(armed)) => armed,
        (RuleMode::Shadow, None) => RuleMode::Alert,
        (RuleMode::Alert | RuleMode::Trip, None) => RuleMode::Trip,
    };
    match (from, armed) {
        (RuleMode::Draft, Some(_)) => {
            vec![
                "its header says draft: change that and save the file, and it runs in shadow"
                    .to_owned(),
            ]
        }
        (_, Some(armed)) if to < armed => vec![format!(
            "it would take the place of a version in {0}: promote it to {0}, or demote that one first",
            armed.as_str()
        )],
        (_, None) if to <= from => {
            vec![format!(
                "it is in {} already; down it goes by demote",
                from.as_str()
            )]
        }
        _ if to == next => Vec::new(),
        _ => vec![format!(
            "one step at a time: it is in {}, the next step is {}",
            from.as_str(),
            next.as_str()
        )],
    }
}

/// Down, at once: less is stopped or said. Of a rule that its budget demoted, `alert`
/// again means that a person takes note.
pub fn demote(
    set: &RuleSetVersion,
    rule: &str,
    to: RuleMode,
    now_us: i64,
) -> Result<RuleSetVersion, Vec<String>> {
    let Some(main) = set.main(rule) else {
        return Err(vec![format!(
            "there is no rule {rule} in set {}",
            set.version
        )]);
    };
    let noted = main.demoted && to == main.mode;
    if to >= main.mode && !noted {
        return Err(vec![format!(
            "it is in {}; up it goes by promote",
            main.mode.as_str()
        )]);
    }
    let mut members = set.members.clone();
    for member in members
        .iter_mut()
        .filter(|m| m.rule == rule && !m.candidate)
    {
        (member.mode, member.demoted, member.since_us) = (to, false, now_us);
    }
    Ok(RuleSetVersion::new(set.version + 1, members))
}

/// Takes a rule out of the set, with its candidate.
pub fn retire(set: &RuleSetVersion, rule: &str) -> Result<RuleSetVersion, Vec<String>> {
    let mut members = set.members.clone();
    members.retain(|m| m.rule != rule);
    if members.len() == set.members.len() {
        return Err(vec![format!(
            "there is no rule {rule} in set {}",
            set.version
        )]);
    }
    if members.is_empty() {
        return Err(vec![
            "it is the last rule: a set without rules sees nothing".to_owned(),
        ]);
    }
    Ok(RuleSetVersion::new(set.version + 1, members))
}

/// The content of `old` as the version after `now`. What comes back to a mode begins
/// there anew: what another text did within the hour is not on its budget.
pub fn taken_back(old: RuleSetVersion, now: &RuleSetVersion, now_us: i64) -> RuleSetVersion {
    let same = |m: &RuleSetMember| {
        let of_now = now
            .members
            .iter()
            .find(|n| n.rule == m.rule && n.candidate == m.candidate);
        of_now
            .filter(|n| n.text.hash == m.text.hash && n.mode == m.mode)
            .map(|n| n.since_us)
    };
    let again = |m: RuleSetMember| RuleSetMember {
        since_us: same(&m).unwrap_or(now_us),
        ..m
    };
    RuleSetVersion {
        version: now.version + 1,
        members: old.members.into_iter().map(again).collect(),
    }
}

/// Rules that went past their budget: they go on as `alert`.
pub fn disarm(set: &RuleSetVersion, rules: &[&str], now_us: i64) -> RuleSetVersion {
    let mut members = set.members.clone();
    for member in members
        .iter_mut()
        .filter(|m| m.mode == RuleMode::Trip && rules.contains(&m.rule.as_str()))
    {
        (member.mode, member.demoted, member.since_us) = (RuleMode::Alert, true, now_us);
    }
    RuleSetVersion::new(set.version + 1, members)
}
