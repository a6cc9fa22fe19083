//! From draft to armed. What runs is the set in force in the database, the same in
//! every sidecar; the folder is only where edits come from. Each change is a new
//! version of the whole set, so that any of the last ones can be had back at once.

pub mod budget;
mod budget_repo;
pub mod repo;
#[cfg(test)]
mod tests;

pub mod arming;
pub mod folder_import;
pub mod library_copy;
pub mod operators;
pub mod promotion;
pub mod promotion_context;
pub mod promotion_rules;
pub mod record;
pub mod suppressions;
pub mod suppressions_repo;

use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::text::error::LoadErrors;
use crate::rules::{RuleFile, RuleFiles, RuleMode};
use sha2::{Digest, Sha256};
use sluice_contract::settings::Secret;
use std::sync::Arc;

/// Sets that can be had back.
pub const MAX_KEPT_SETS: i64 = 20;
/// The window of rates and budgets.
pub const HOUR_US: i64 = 3_600_000_000;

/// A rule's text with its cases. Shared: a set is mostly the one before it.
#[derive(Debug, PartialEq, Eq)]
pub struct RuleText {
    pub body: String,
    pub cases: String,
    /// 32 hex digits over name, text and cases.
    pub hash: String,
    /// 16 hex digits over name and text, as verdicts show it.
    pub rule_hash: String,
}

/// One rule of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSetMember {
    pub rule: String,
    pub text: Arc<RuleText>,
    pub mode: RuleMode,
    /// It runs beside the armed version of the same id.
    pub candidate: bool,
    /// Its budget took it from `trip` to `alert`.
    pub demoted: bool,
    /// Since when this text has been in this mode.
    pub since_us: i64,
}

/// A version with everything in it, sorted by rule, the armed version first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleSetVersion {
    /// 0: there was none yet.
    pub version: i64,
    pub members: Vec<RuleSetMember>,
}

impl RuleText {
    pub fn new(rule: &str, body: String, cases: String) -> RuleText {
        let mut hash = Sha256::new();
        for part in [rule, &body, &cases] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let hash = hex::encode(&hash.finalize()[..16]);
        let mut text = RuleText {
            body,
            cases,
            hash,
            rule_hash: String::new(),
        };
        text.rule_hash = text.file(rule, None, false).hash();
        text
    }

    /// Exactly this text has a mode of its own in a set: headers' modes count in the first only.
    fn file(&self, rule: &str, mode: Option<RuleMode>, candidate: bool) -> RuleFile {
        RuleFile {
            id: rule.to_owned(),
            text: self.body.clone(),
            cases: self.cases.clone(),
            mode,
            candidate,
        }
    }
}

impl RuleSetMember {
    pub fn armed(&self) -> bool {
        !self.candidate && matches!(self.mode, RuleMode::Alert | RuleMode::Trip)
    }
}

impl RuleSetVersion {
    pub fn new(version: i64, mut members: Vec<RuleSetMember>) -> RuleSetVersion {
        members.sort_by(|a, b| (&a.rule, a.candidate).cmp(&(&b.rule, b.candidate)));
        RuleSetVersion { version, members }
    }

    pub fn files(&self) -> RuleFiles {
        let files = self
            .members
            .iter()
            .map(|m| m.text.file(&m.rule, Some(m.mode), m.candidate));
        RuleFiles {
            rules: files.collect(),
            ..RuleFiles::default()
        }
    }

    pub fn hash(&self) -> String {
        self.files().hash()
    }

    pub fn compile(&self, provenance_key: Secret) -> Result<RuleSet, LoadErrors> {
        Ok(RuleSet::build(&self.files(), provenance_key)?.numbered(self.version))
    }

    /// The version of a rule that is not a candidate.
    pub fn main(&self, rule: &str) -> Option<&RuleSetMember> {
        self.members.iter().find(|m| m.rule == rule && !m.candidate)
    }

    pub fn candidate(&self, rule: &str) -> Option<&RuleSetMember> {
        self.members.iter().find(|m| m.rule == rule && m.candidate)
    }
}

/// As headers, rows and requests write it.
pub fn mode_of(text: &str) -> Option<RuleMode> {
    [
        RuleMode::Draft,
        RuleMode::Shadow,
        RuleMode::Alert,
        RuleMode::Trip,
    ]
    .into_iter()
    .find(|mode| mode.as_str() == text)
}
