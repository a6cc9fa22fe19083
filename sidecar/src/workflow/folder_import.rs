//! Edits of the folder, as a new set. Pure: what is in force, what the folder holds
//! and what was last taken from it go in; the next set and what was done come out.

use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::text::error::LoadErrors;
use crate::rules::{RuleFiles, RuleMode};
use crate::workflow::library_copy::with_library;
use crate::workflow::{RuleSetMember, RuleSetVersion, RuleText};
use sluice_contract::settings::Secret;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// A folder that compiles as a whole.
pub struct RuleFolder {
    pub texts: BTreeMap<String, Arc<RuleText>>,
    /// As headers say.
    pub modes: BTreeMap<String, RuleMode>,
}

impl RuleFolder {
    /// Reads and compiles all of it, the way a set runs: each rule with its own copy of
    /// the library. An error names every file that is wrong, or an empty folder.
    pub fn read(dir: &Path, provenance_key: Secret) -> Result<(RuleFolder, RuleSet), LoadErrors> {
        let rules = RuleSet::load(dir, provenance_key.clone())?;
        let files = RuleFiles::read(dir).map_err(|e| LoadErrors(vec![e]))?;
        let folder = RuleFolder::new(
            files,
            rules.rules().map(|r| (r.id.clone(), r.mode)).collect(),
        );
        // A rule may be well, and with its copy too large, or a name in the library wrong.
        first(&folder, 0).compile(provenance_key)?;
        Ok((folder, rules))
    }

    pub fn new(files: RuleFiles, modes: BTreeMap<String, RuleMode>) -> RuleFolder {
        let lib = &files.lib;
        let text = |file: crate::rules::RuleFile| {
            let text = RuleText::new(&file.id, with_library(&file.text, lib), file.cases);
            (file.id, Arc::new(text))
        };
        RuleFolder {
            texts: files.rules.into_iter().map(text).collect(),
            modes,
        }
    }

    /// Hashes of texts by rule: what is remembered once it was taken over.
    pub fn hashes(&self) -> BTreeMap<String, String> {
        self.texts
            .iter()
            .map(|(rule, text)| (rule.clone(), text.hash.clone()))
            .collect()
    }
}

/// What an import leads to.
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

/// The very first set: what is deployed with an empty database was reviewed like
/// code, so headers' modes count.
pub fn first(folder: &RuleFolder, now_us: i64) -> RuleSetVersion {
    let member = |(rule, text): (&String, &Arc<RuleText>)| RuleSetMember {
        rule: rule.clone(),
        text: Arc::clone(text),
        mode: folder.modes.get(rule).copied().unwrap_or(RuleMode::Draft),
        candidate: false,
        demoted: false,
        since_us: now_us,
    };
    RuleSetVersion::new(1, folder.texts.iter().map(member).collect())
}

/// `last` is what was last taken over, `had` which files this process saw before:
/// only a file that was seen and is gone was deleted, since another sidecar's folder
/// may never have had it.
pub fn import(
    active: &RuleSetVersion,
    folder: &RuleFolder,
    last: &BTreeMap<String, String>,
    had: &BTreeSet<String>,
    now_us: i64,
) -> FolderImport {
    let mut done = FolderImport::default();
    let mut members = active.members.clone();
    let (mut new, mut edited, mut retired) = (Vec::new(), Vec::new(), Vec::new());
    for (rule, text) in &folder.texts {
        if last.get(rule) == Some(&text.hash) {
            continue;
        }
        let drafted = folder.modes.get(rule) == Some(&RuleMode::Draft);
        let mode = if drafted {
            RuleMode::Draft
        } else {
            RuleMode::Shadow
        };
        let member = |candidate| RuleSetMember {
            rule: rule.clone(),
            text: Arc::clone(text),
            mode,
            candidate,
            demoted: false,
            since_us: now_us,
        };
        let list = if active.main(rule).is_some() {
            &mut edited
        } else {
            &mut new
        };
        if edit(&mut members, &member) {
            list.push(rule.clone());
        }
    }
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
