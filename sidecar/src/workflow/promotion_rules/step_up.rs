//! Up, one step at a time.

use crate::rules::RuleMode;
use crate::workflow::promotion_rules::{DEFAULT_RATE_PER_HOUR, PromotionEvidence, soak, subject};
use crate::workflow::{RuleSetMember, RuleSetVersion};

/// Makes the next set.
///
/// # Errors
/// Every reason why not.
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
    let mut against = objections(set, subject, hash, to, known);
    against.extend(soak::objections(subject, to, known, now_us));
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

/// Every reason against the step.
fn objections(
    set: &RuleSetVersion,
    subject: &RuleSetMember,
    hash: &str,
    to: RuleMode,
    known: &PromotionEvidence<'_>,
) -> Vec<String> {
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
    against
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
