//! From draft to armed. What runs is the set in force in the database, the same in
//! every sidecar; the folder is only where edits come from. Each change is a new
//! version of the whole set, so that any of the last ones can be had back at once.

pub mod act;
pub mod api;
pub mod budget;
mod budget_repo;
pub mod freeze;
pub mod import;
pub mod judge;
pub mod people;
pub mod repo;
pub mod step;
pub mod suppress;
mod suppress_api;
pub mod suppress_repo;
#[cfg(test)]
mod tests;

use crate::rules::{Files, LoadErrors, Mode, RuleFile, RuleSet};
use sha2::{Digest, Sha256};
use sluice_contract::settings::Secret;
use std::sync::Arc;

/// Sets that can be had back.
pub const KEPT_SETS: i64 = 20;
/// The window of rates and budgets.
pub const HOUR_US: i64 = 3_600_000_000;

/// A rule's text with its cases. Shared: a set is mostly the one before it.
#[derive(Debug, PartialEq, Eq)]
pub struct Text {
    pub body: String,
    pub cases: String,
    /// 32 hex digits over name, text and cases.
    pub hash: String,
    /// 16 hex digits over name and text, as verdicts show it.
    pub rule_hash: String,
}

/// One rule of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub rule: String,
    pub text: Arc<Text>,
    pub mode: Mode,
    /// It runs beside the armed version of the same id.
    pub candidate: bool,
    /// Its budget took it from `trip` to `alert`.
    pub demoted: bool,
    /// Since when this text has been in this mode.
    pub since_us: i64,
}

/// A version with everything in it, sorted by rule, the armed version first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Set {
    /// 0: there was none yet.
    pub version: i64,
    pub members: Vec<Member>,
}

impl Text {
    pub fn new(rule: &str, body: String, cases: String) -> Text {
        let mut hash = Sha256::new();
        for part in [rule, &body, &cases] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let hash = hex::encode(&hash.finalize()[..16]);
        let mut text = Text {
            body,
            cases,
            hash,
            rule_hash: String::new(),
        };
        text.rule_hash = text.file(rule, None, false).hash();
        text
    }

    /// Exactly this text has a mode of its own in a set: headers' modes count in the first only.
    fn file(&self, rule: &str, mode: Option<Mode>, candidate: bool) -> RuleFile {
        RuleFile {
            id: rule.to_owned(),
            text: self.body.clone(),
            cases: self.cases.clone(),
            mode,
            candidate,
        }
    }
}

impl Member {
    pub fn armed(&self) -> bool {
        !self.candidate && matches!(self.mode, Mode::Alert | Mode::Trip)
    }
}

impl Set {
    pub fn new(version: i64, mut members: Vec<Member>) -> Set {
        members.sort_by(|a, b| (&a.rule, a.candidate).cmp(&(&b.rule, b.candidate)));
        Set { version, members }
    }

    pub fn files(&self) -> Files {
        let files = self
            .members
            .iter()
            .map(|m| m.text.file(&m.rule, Some(m.mode), m.candidate));
        Files {
            rules: files.collect(),
            ..Files::default()
        }
    }

    pub fn hash(&self) -> String {
        self.files().hash()
    }

    pub fn compile(&self, provenance_key: Secret) -> Result<RuleSet, LoadErrors> {
        Ok(RuleSet::build(&self.files(), provenance_key)?.numbered(self.version))
    }

    /// The version of a rule that is not a candidate.
    pub fn main(&self, rule: &str) -> Option<&Member> {
        self.members.iter().find(|m| m.rule == rule && !m.candidate)
    }

    pub fn candidate(&self, rule: &str) -> Option<&Member> {
        self.members.iter().find(|m| m.rule == rule && m.candidate)
    }
}

/// As headers, rows and requests write it.
pub fn mode_of(text: &str) -> Option<Mode> {
    [Mode::Draft, Mode::Shadow, Mode::Alert, Mode::Trip]
        .into_iter()
        .find(|mode| mode.as_str() == text)
}
