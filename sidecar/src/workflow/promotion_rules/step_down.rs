//! Down, at once, and back: less is stopped or said.

use crate::rules::RuleMode;
use crate::workflow::{RuleSetMember, RuleSetVersion};

/// Takes a rule down, at once. Of a rule that its budget demoted, `alert`
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

/// Disarms rules that went past their budget: they go on as `alert`.
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
