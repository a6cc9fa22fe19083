//! The making of findings: ids, texts within their bounds, breakers.

use crate::rules::runtime::finding::{Finding, FindingOutcome};
use crate::rules::runtime::rule_set::CompiledRule;
use crate::rules::text::rule_mode::RuleMode;
use sha2::{Digest, Sha256};
use sluice_contract::breaker::{BreakerKey, key_for};
use std::sync::Arc;

/// Longest texts of a finding, in characters: what `verdict` stores.
const MAX_ITEM_CHARS: usize = 190;
const MAX_MESSAGE_CHARS: usize = 500;
/// The item of a finding that is undetermined though no rule failed: not enough is known. It is
/// neither an error of the rule nor a trip of its budget (`Verdict::is_unknown`).
pub const UNKNOWN_ITEM: &str = "unknown";

/// The words of a finding, and the function of the rule that said them.
pub struct FindingText<'a> {
    pub function: &'a str,
    pub item: &'a str,
    pub message: &'a str,
}

/// The breakers that a rule in mode trip opens for this account.
pub fn breakers_of(rule: &CompiledRule, account: &str) -> Vec<BreakerKey> {
    let trips = rule.header.mode == RuleMode::Trip;
    let declared = rule.header.breakers.iter().filter(|_| trips);
    declared
        .map(|(point, scope)| key_for(*point, *scope, account))
        .collect()
}

/// A finding that says that nothing can be known.
pub fn not_known(
    rule: &CompiledRule,
    message: &str,
    position: &Arc<str>,
    account: &str,
) -> Finding {
    let text = FindingText {
        function: "missing",
        item: UNKNOWN_ITEM,
        message,
    };
    finding(
        rule,
        FindingOutcome::Undetermined,
        position,
        &text,
        account.to_owned(),
    )
}

/// A finding of a rule, without breakers and detail.
pub fn finding(
    rule: &CompiledRule,
    outcome: FindingOutcome,
    position: &Arc<str>,
    text: &FindingText<'_>,
    account: String,
) -> Finding {
    let item: String = text.item.chars().take(MAX_ITEM_CHARS).collect();
    // The account counts too: two accounts under one item are two verdicts, or the
    // second one's breaker would never be opened. So does the function: a payment
    // that was late and then booked wrong is two findings.
    // A candidate's verdicts must not be taken for those of the version that is armed.
    let parts = [
        rule.header.id.as_str(),
        text.function,
        position,
        &account,
        &item,
    ];
    let of_version: Vec<&str> = parts.into_iter().chain([rule.hash.as_str()]).collect();
    let of_version = verdict_id(&of_version);
    let (verdict_id, before) = match rule.candidate {
        true => (of_version, None),
        false => (verdict_id(&parts), Some(of_version)),
    };
    Finding {
        verdict_id,
        before,
        rule: Arc::clone(&rule.header),
        rule_hash: rule.hash.clone(),
        outcome,
        position: Arc::clone(position),
        item,
        account,
        message: text.message.chars().take(MAX_MESSAGE_CHARS).collect(),
        breakers: Vec::new(),
        amount: None,
        detail: None,
    }
}

/// 32 hex digits over all parts and where each ends.
pub fn verdict_id(parts: &[&str]) -> String {
    let mut id = Sha256::new();
    for part in parts {
        id.update((part.len() as u64).to_be_bytes());
        id.update(part);
    }
    hex::encode(&id.finalize()[..16])
}
