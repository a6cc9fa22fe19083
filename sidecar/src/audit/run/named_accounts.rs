//! Accounts that rules name in a run: up to a bound each by itself, past it everybody.

use crate::rules::runtime::finding::{Finding, FindingOutcome};
use sha2::{Digest, Sha256};
use sluice_contract::breaker::widen;
use std::collections::HashMap;

/// Accounts that one rule names in a run. What is beyond is everybody: ten thousand
/// wrong balances are not a matter of single accounts any more.
const MAX_NAMED_ACCOUNTS: usize = 10_000;
/// Accounts named so far, by rule.
#[derive(Debug, Default)]
pub(super) struct NamedAccounts(HashMap<String, usize>);

impl NamedAccounts {
    /// Keeps findings up to the bound; past it a rule names everybody, once.
    pub(super) fn bound(&mut self, found: Vec<(Finding, String)>) -> Vec<(Finding, String)> {
        let mut kept = Vec::with_capacity(found.len());
        for (finding, position) in found {
            let named = self.0.entry(finding.rule.id.clone()).or_default();
            *named += 1;
            if *named < MAX_NAMED_ACCOUNTS {
                kept.push((finding, position));
            } else if *named == MAX_NAMED_ACCOUNTS {
                kept.push((everybody(finding), position));
            }
        }
        kept
    }

    /// Rules that named everybody and saw no more.
    pub(super) fn partial(self) -> Vec<String> {
        let past = self.0.into_iter().filter(|(_, n)| *n >= MAX_NAMED_ACCOUNTS);
        past.map(|(rule, _)| rule).collect()
    }
}

/// So much is wrong that nobody is known to be right.
fn everybody(finding: Finding) -> Finding {
    let item = format!("more than {MAX_NAMED_ACCOUNTS} accounts");
    let id = Sha256::digest(format!("{}/{item}", finding.rule.id));
    Finding {
        verdict_id: hex::encode(&id[..16]),
        outcome: FindingOutcome::Violation,
        message: format!("{item} are wrong; the last one: {}", finding.message),
        breakers: finding.breakers.iter().map(widen).collect(),
        account: String::new(),
        item,
        ..finding
    }
}
