//! Accounts that rules name in a run: up to a bound each by itself, past it everybody.

use crate::rules::runtime::finding::{Finding, FindingOutcome};
use sha2::{Digest, Sha256};
use sluice_contract::breaker::widen;
use std::collections::HashMap;

/// Accounts that one rule names in a run. What is beyond is everybody: ten thousand
/// wrong balances are not a matter of single accounts any more.
const MAX_NAMED_ACCOUNTS: usize = 10_000;
/// Findings of one account that one rule tells in a run: the first stops it.
const MAX_FINDINGS_OF_ACCOUNT: usize = 100;

/// Accounts named so far, by rule.
#[derive(Debug, Default)]
pub(super) struct NamedAccounts(HashMap<String, NamedByRule>);

#[derive(Debug, Default)]
struct NamedByRule {
    /// Findings by account.
    accounts: HashMap<String, usize>,
    /// The rule said something that was not kept.
    is_cut: bool,
}

impl NamedAccounts {
    /// Keeps findings up to the bounds; past that of accounts a rule names everybody, once.
    pub(super) fn bound(&mut self, found: Vec<(Finding, String)>) -> Vec<(Finding, String)> {
        let mut kept = Vec::with_capacity(found.len());
        for (finding, position) in found {
            let named = self.0.entry(finding.rule.id.clone()).or_default();
            if named.accounts.len() >= MAX_NAMED_ACCOUNTS {
                named.is_cut = true;
                continue;
            }
            let of_account = named.accounts.entry(finding.account.clone()).or_default();
            *of_account += 1;
            let is_too_much = *of_account > MAX_FINDINGS_OF_ACCOUNT;
            if named.accounts.len() >= MAX_NAMED_ACCOUNTS {
                named.is_cut = true;
                kept.push((everybody(finding), position));
            } else if is_too_much {
                named.is_cut = true;
            } else {
                kept.push((finding, position));
            }
        }
        kept
    }

    /// Rules that said more than was kept.
    pub(super) fn partial(self) -> Vec<String> {
        let cut = self.0.into_iter().filter(|(_, named)| named.is_cut);
        cut.map(|(rule, _)| rule).collect()
    }
}

/// Widens a finding to everybody: so much is wrong that nobody is known to be right.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::stream::guard_row::GuardRowRule;
    use crate::rules::transaction::guard_changes::GuardBreach;

    fn of(accounts: usize, each: usize) -> Vec<(Finding, String)> {
        let breach = GuardBreach::of_mark("it is gone");
        let finding = GuardRowRule::load()
            .unwrap()
            .finding(&"0-1-7".into(), &breach);
        let named = |n: usize| Finding {
            account: format!("A{n}"),
            ..finding.clone()
        };
        let each = |n| std::iter::repeat_n((named(n), String::new()), each);
        (0..accounts).flat_map(each).collect()
    }

    #[test]
    fn accounts_are_counted_and_not_what_is_wrong_of_each() {
        let mut named = NamedAccounts::default();
        let kept = named.bound(of(MAX_NAMED_ACCOUNTS / 50, 60));
        assert!(kept.iter().all(|(finding, _)| !finding.account.is_empty()));
        assert_eq!(kept.len(), MAX_NAMED_ACCOUNTS / 50 * 60);
        assert!(named.partial().is_empty());
        let mut named = NamedAccounts::default();
        let kept = named.bound(of(1, 1_000_000));
        assert_eq!(kept.len(), MAX_FINDINGS_OF_ACCOUNT);
        assert_eq!(named.partial(), ["guard_row"]);
        let mut named = NamedAccounts::default();
        let kept = named.bound(of(MAX_NAMED_ACCOUNTS + 7, 1));
        assert_eq!(kept.len(), MAX_NAMED_ACCOUNTS);
        let everybody = kept
            .iter()
            .filter(|(finding, _)| finding.account.is_empty());
        assert_eq!(everybody.count(), 1);
    }
}
