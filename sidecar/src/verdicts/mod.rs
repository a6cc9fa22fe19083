//! What rules found, as it is stored: every text fits its column.

pub mod repo;

pub mod shadow_limit;

use crate::rules::runtime::finding::{Finding, FindingOutcome};
use crate::rules::{FindingDetail, UNKNOWN_ITEM};
use rust_decimal::Decimal;
use sluice_contract::breaker::{BreakerKey, keys_text};
use std::collections::HashSet;

/// Widths of `guard.verdict`.
const MAX_RULE_CHARS: usize = 64;
const MAX_POSITION_CHARS: usize = 190;
const MAX_ITEM_CHARS: usize = 190;
const MAX_ACCOUNT_CHARS: usize = 64;
const MAX_BREAKER_CHARS: usize = 64;
const MAX_MESSAGE_CHARS: usize = 500;

/// Longest explanation that is stored, in bytes of JSON: above what a trace keeps, and
/// a statement of such rows is still below any server's packet limit.
const MAX_DETAIL_BYTES: usize = 96 * 1024;
/// What `DECIMAL(20,4)` holds; a rule may name any number.
const MAX_AMOUNT: Decimal = Decimal::from_parts(0x6fc1_0000, 0x0023_86f2, 0, false, 0);

/// A row of `guard.verdict`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    pub verdict_id: String,
    /// Its id while the same text was a candidate: said then, it is no news.
    pub before: Option<String>,
    pub rule: String,
    pub rule_hash: String,
    pub mode: &'static str,
    pub outcome: &'static str,
    pub position: String,
    pub item: String,
    pub account_id: String,
    pub message: String,
    /// To be opened, all of them.
    pub breakers: Vec<BreakerKey>,
    /// The set that the rule was evaluated with.
    pub set_version: i64,
    /// What is at stake, in major units.
    pub amount: Option<Decimal>,
    /// JSON: inputs, what was read of them, parameters.
    pub detail: Option<String>,
    /// The suppression that took its breakers away.
    pub suppression: Option<String>,
    /// Breakers that it moved; known at its commit.
    pub opened: i64,
}

/// Findings as verdicts, each once. Drafts are not recorded.
pub fn verdicts(findings: &[(Finding, i64)]) -> Vec<Verdict> {
    let mut seen = HashSet::new();
    let made = findings
        .iter()
        .filter_map(|(finding, set_version)| verdict(finding, *set_version));
    made.filter(|v| seen.insert(v.verdict_id.clone())).collect()
}

fn verdict(finding: &Finding, set_version: i64) -> Option<Verdict> {
    let mode = finding.rule.mode.as_str();
    if mode == "draft" {
        return None;
    }
    if let Some(breaker) = finding.breakers.iter().find(|b| !b.is_storable()) {
        tracing::error!(rule = %finding.rule.id, %breaker, "the breaker's key is longer than any account's; the verdict is recorded without it");
    }
    Some(Verdict {
        verdict_id: ascii(&finding.verdict_id, 32),
        before: finding.before.clone(),
        rule: ascii(&finding.rule.id, MAX_RULE_CHARS),
        rule_hash: ascii(&finding.rule_hash, 16),
        mode,
        outcome: finding.outcome.as_str(),
        position: ascii(&finding.position, MAX_POSITION_CHARS),
        item: cut(&finding.item, MAX_ITEM_CHARS),
        account_id: cut(&finding.account, MAX_ACCOUNT_CHARS),
        message: cut(&finding.message, MAX_MESSAGE_CHARS),
        breakers: storable(&finding.breakers),
        set_version,
        amount: finding
            .amount
            .filter(|amount| amount.abs() < MAX_AMOUNT)
            .map(|amount| amount.round_dp(4)),
        detail: finding.detail.as_deref().and_then(detail),
        suppression: None,
        opened: 0,
    })
}

fn storable(breakers: &[BreakerKey]) -> Vec<BreakerKey> {
    let fits = breakers.iter().filter(|b| b.is_storable());
    fits.cloned().collect()
}

/// One that is too long says so: half of it could mislead.
fn detail(detail: &FindingDetail) -> Option<String> {
    let text = serde_json::to_string(detail).ok()?;
    Some(if text.len() <= MAX_DETAIL_BYTES {
        text
    } else {
        format!("{{\"tooLong\":{}}}", text.len())
    })
}

impl Verdict {
    /// Nothing could be said, and its rule did nothing wrong.
    pub fn is_unknown(&self) -> bool {
        self.outcome == FindingOutcome::Undetermined.as_str() && self.item == UNKNOWN_ITEM
    }

    /// The breakers' name as it is stored: `refund+settlement/account/A-17`, with `*`
    /// for every point.
    pub fn breaker_text(&self) -> Option<String> {
        keys_text(&self.breakers).map(|text| cut(&text, MAX_BREAKER_CHARS))
    }

    /// Said once, when the verdict is new.
    pub fn log(&self) {
        let breaker = self.breaker_text().unwrap_or_default();
        tracing::warn!(
            rule = self.rule,
            mode = self.mode,
            outcome = self.outcome,
            account = self.account_id,
            position = self.position,
            item = self.item,
            message = self.message,
            breaker,
            trips = !self.breakers.is_empty(),
            set = self.set_version,
            suppression = self.suppression.as_deref(),
            verdict = self.verdict_id,
            "verdict"
        );
    }
}

/// At most `most` characters, never through the middle of one.
pub fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// For ASCII columns: anything else becomes a question mark.
fn ascii(text: &str, most: usize) -> String {
    text.chars()
        .take(most)
        .map(|c| if c.is_ascii() { c } else { '?' })
        .collect()
}

#[cfg(test)]
mod tests;
