//! Emergencies: a rule that one person has disarmed for a while counts as armed for whoever
//! decides what takes two people. Otherwise one person could disarm it in small steps.

use crate::workflow::timed::{TimedChange, TimedKind};
use crate::workflow::{RuleSetMember, RuleSetVersion, mode_of};

/// The set with a rule back in its mode; None if there is nothing to come back to: its text is
/// another one, or somebody armed it.
pub fn armed_again(set: &RuleSetVersion, due: &TimedChange, now_us: i64) -> Option<RuleSetVersion> {
    let (mode, hash) = due.version.split_once(' ')?;
    let mode = mode_of(mode)?;
    let main = set.main(&due.subject)?;
    if main.text.rule_hash != hash || main.mode >= mode {
        return None;
    }
    let mut members = set.members.clone();
    let meant = |m: &&mut RuleSetMember| m.rule == due.subject && !m.candidate;
    for member in members.iter_mut().filter(meant) {
        (member.mode, member.demoted, member.since_us) = (mode, false, now_us);
    }
    Some(RuleSetVersion::new(set.version + 1, members))
}

/// The set as if every running emergency were over.
pub fn before_emergencies(set: &RuleSetVersion, running: &[TimedChange]) -> RuleSetVersion {
    let modes = running.iter().filter(|one| one.kind == TimedKind::Mode);
    let mut before = set.clone();
    for one in modes {
        if let Some(armed) = armed_again(&before, one, 0) {
            before.members = armed.members;
        }
    }
    before
}
