//! A version of the rule set, and its members.

use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::text::error::LoadErrors;
use crate::rules::{RuleFiles, RuleMode};
use crate::workflow::rule_text::RuleText;
use sluice_contract::provenance::TransactionVerifier;
use std::sync::Arc;

/// One rule of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSetMember {
    pub rule: String,
    pub text: Arc<RuleText>,
    pub mode: RuleMode,
    /// A candidate runs beside the armed version of the same id.
    pub candidate: bool,
    /// The budget took it from `trip` to `alert`.
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

impl RuleSetMember {
    /// The version that pages somebody or stops money.
    pub fn armed(&self) -> bool {
        !self.candidate
            && match self.mode {
                RuleMode::Alert | RuleMode::Trip => true,
                RuleMode::Draft | RuleMode::Shadow => false,
            }
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

    pub fn compile(
        &self,
        transaction_keys: impl Into<TransactionVerifier>,
    ) -> Result<RuleSet, LoadErrors> {
        Ok(RuleSet::build(&self.files(), transaction_keys)?.numbered(self.version))
    }

    /// The version of a rule that is not a candidate.
    pub fn main(&self, rule: &str) -> Option<&RuleSetMember> {
        self.members.iter().find(|m| m.rule == rule && !m.candidate)
    }

    pub fn candidate(&self, rule: &str) -> Option<&RuleSetMember> {
        self.members.iter().find(|m| m.rule == rule && m.candidate)
    }
}
