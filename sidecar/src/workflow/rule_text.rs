//! Text of a rule with its cases.

use crate::rules::{RuleFile, RuleMode};
use sha2::{Digest, Sha256};

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
    pub(super) fn file(&self, rule: &str, mode: Option<RuleMode>, candidate: bool) -> RuleFile {
        RuleFile {
            id: rule.to_owned(),
            text: self.body.clone(),
            cases: self.cases.clone(),
            mode,
            candidate,
        }
    }
}
