//! Findings as verdicts.

use crate::rules::runtime::finding::Finding;
use crate::rules::{FindingDetail, RuleMode};
use crate::verdicts::Verdict;
use crate::verdicts::column_text::{ascii, cut};
use rust_decimal::Decimal;
use sluice_contract::breaker::BreakerKey;
use std::collections::HashSet;

/// Widths of `guard.verdict`.
const MAX_RULE_CHARS: usize = 64;
const MAX_POSITION_CHARS: usize = 190;
const MAX_ITEM_CHARS: usize = 190;
const MAX_ACCOUNT_CHARS: usize = 64;
const MAX_MESSAGE_CHARS: usize = 500;

/// Longest explanation that is stored, in bytes of JSON: above what a trace keeps, and
/// a statement of such rows is still below any server's packet limit.
const MAX_DETAIL_BYTES: usize = 96 * 1024;
/// Largest number that `DECIMAL(20,4)` holds; a rule may name any number.
const MAX_AMOUNT: Decimal = Decimal::from_parts(0x6fc1_0000, 0x0023_86f2, 0, false, 0);

/// Makes verdicts of findings, each once. Drafts are not recorded.
pub fn verdicts(findings: &[(Finding, i64)]) -> Vec<Verdict> {
    let mut seen = HashSet::new();
    let made = findings
        .iter()
        .filter_map(|(finding, set_version)| verdict(finding, *set_version));
    made.filter(|v| seen.insert(v.verdict_id.clone())).collect()
}

fn verdict(finding: &Finding, set_version: i64) -> Option<Verdict> {
    let mode = finding.rule.mode.as_str();
    if finding.rule.mode == RuleMode::Draft {
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
        severity: finding.rule.severity.as_str(),
        correlation_id: None,
        trace: None,
    })
}

fn storable(breakers: &[BreakerKey]) -> Vec<BreakerKey> {
    let fits = breakers.iter().filter(|b| b.is_storable());
    fits.cloned().collect()
}

/// Writes the explanation as JSON. One that is too long says so: half of it could mislead.
fn detail(detail: &FindingDetail) -> Option<String> {
    let text = serde_json::to_string(detail).ok()?;
    Some(if text.len() <= MAX_DETAIL_BYTES {
        text
    } else {
        format!("{{\"tooLong\":{}}}", text.len())
    })
}
