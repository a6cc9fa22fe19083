//! Edits of the folder, as a new set. Pure: what is in force, what the folder holds
//! and what was last taken from it go in; the next set and what was done come out.

use crate::rules::RuleMode;
use crate::workflow::folder_import::rule_folder::RuleFolder;
use crate::workflow::{RuleSetMember, RuleSetVersion};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Result of an import.
#[derive(Debug, Default)]
pub struct FolderImport {
    /// None: the set stays as it is.
    pub set: Option<RuleSetVersion>,
    /// Short, for the set's reason: `edited: a; new: b`.
    pub reason: String,
    /// Rules whose files are gone and that are forgotten with them.
    pub gone: Vec<String>,
    /// Armed rules whose files are gone: they stay.
    pub orphans: Vec<String>,
}

/// Decides what an edited folder changes. `last` is what was last taken over, `had`
/// which files this process saw before: only a file that was seen and is gone was
/// deleted, since another sidecar's folder may never have had it.
pub fn import(
    active: &RuleSetVersion,
    folder: &RuleFolder,
    last: &BTreeMap<String, String>,
    had: &BTreeSet<String>,
    now_us: i64,
) -> FolderImport {
    let mut done = FolderImport::default();
    let mut members = active.members.clone();
    let (new, edited) = take_edits(active, folder, last, &mut members, now_us);
    let mut retired = Vec::new();
    for rule in had.iter().filter(|rule| !folder.texts.contains_key(*rule)) {
        if active.main(rule).is_some_and(RuleSetMember::armed) {
            done.orphans.push(rule.clone());
            continue;
        }
        done.gone.push(rule.clone());
        let before = members.len();
        members.retain(|m| m.rule != *rule);
        if members.len() < before {
            retired.push(rule.clone());
        }
    }
    let parts = [("new", new), ("edited", edited), ("deleted", retired)];
    let parts = parts.iter().filter(|(_, rules)| !rules.is_empty());
    done.reason = parts
        .map(|(what, rules)| format!("{what}: {}", rules.join(", ")))
        .collect::<Vec<_>>()
        .join("; ");
    if !done.reason.is_empty() {
        done.set = Some(RuleSetVersion::new(active.version + 1, members));
    }
    done
}

/// Takes every text over that is not as it was last; returns the rules that are new and
/// those that were edited.
fn take_edits(
    active: &RuleSetVersion,
    folder: &RuleFolder,
    last: &BTreeMap<String, String>,
    members: &mut Vec<RuleSetMember>,
    now_us: i64,
) -> (Vec<String>, Vec<String>) {
    let (mut new, mut edited) = (Vec::new(), Vec::new());
    for (rule, text) in &folder.texts {
        if last.get(rule) == Some(&text.hash) {
            continue;
        }
        let member = |candidate| RuleSetMember {
            rule: rule.clone(),
            text: Arc::clone(text),
            mode: first_mode(folder.modes.get(rule).copied()),
            candidate,
            demoted: false,
            since_us: now_us,
        };
        let list = if active.main(rule).is_some() {
            &mut edited
        } else {
            &mut new
        };
        if edit(members, &member) {
            list.push(rule.clone());
        }
    }
    (new, edited)
}

/// Mode of an edited text: it is tried in shadow whatever its header says, unless that
/// says draft.
fn first_mode(header: Option<RuleMode>) -> RuleMode {
    match header {
        Some(RuleMode::Draft) => RuleMode::Draft,
        Some(RuleMode::Shadow | RuleMode::Alert | RuleMode::Trip) | None => RuleMode::Shadow,
    }
}

/// Takes one edited text into the set; whether that changed anything.
fn edit(members: &mut Vec<RuleSetMember>, member: &dyn Fn(bool) -> RuleSetMember) -> bool {
    let wanted = member(true);
    let candidate = members
        .iter()
        .position(|m| m.rule == wanted.rule && m.candidate);
    let Some(main) = members
        .iter_mut()
        .find(|m| m.rule == wanted.rule && !m.candidate)
    else {
        members.push(member(false));
        return true;
    };
    if main.text.rule_hash == wanted.text.rule_hash {
        // The edit was taken back, or only its cases changed: they decide nothing on
        // live traffic, so the rule keeps its place.
        let changed = main.text.hash != wanted.text.hash || candidate.is_some();
        main.text = wanted.text;
        candidate.map(|at| members.remove(at));
        return changed;
    }
    if !main.armed() {
        *main = member(false);
        return true;
    }
    match candidate.and_then(|at| members.get_mut(at)) {
        Some(before) if before.text.hash == wanted.text.hash => return false,
        Some(before) if before.text.rule_hash == wanted.text.rule_hash => before.text = wanted.text,
        Some(before) => *before = wanted,
        None => members.push(wanted),
    }
    true
}
