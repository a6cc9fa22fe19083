//! Budgets: what a rule in mode `trip` may stop within an hour before it counts as a mistake.
//! Pure: past findings and this commit's go in, a decision per verdict comes out.

pub mod repo;

use crate::rules::RuleBudget;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// Accounts that are always within the budget: a share of few accounts says nothing.
pub const MIN_ACCOUNTS_FOR_SHARE: usize = 10;

/// Money on an account, by currency.
pub type BudgetBalances = BTreeMap<String, Decimal>;

/// Deeds of a rule within the hour, and what there is to stop.
#[derive(Debug, Default)]
pub struct BudgetWindow {
    pub trips: u64,
    pub errors: u64,
    /// Accounts whose breaker it opened.
    pub accounts: BTreeSet<String>,
    /// Accounts that there are, counted as far as it matters; None: not known here.
    pub all_accounts: Option<usize>,
    /// Of the accounts above and of those that this commit is about.
    pub held: BTreeMap<String, BudgetBalances>,
}

impl BudgetWindow {
    /// Counts an error of the rule; why that is too many.
    pub fn error(&mut self, budget: &RuleBudget) -> Option<String> {
        self.errors += 1;
        let most = budget.errors_per_hour;
        (self.errors > u64::from(most)).then(|| {
            format!(
                "it failed {} times within an hour; its budget is {most}",
                self.errors
            )
        })
    }

    /// Counts that it is about to stop an account; why that is too much.
    pub fn trip(&mut self, budget: &RuleBudget, account: &str) -> Option<String> {
        let trips = self.trips + 1;
        if trips > u64::from(budget.trips_per_hour) {
            return Some(format!(
                "it tripped {trips} times within an hour; its budget is {}",
                budget.trips_per_hour
            ));
        }
        let stopped = self.accounts.len() + usize::from(!self.accounts.contains(account));
        if let Some(why) = self
            .share(budget, stopped)
            .or_else(|| self.amount(budget, account))
        {
            return Some(why);
        }
        self.trips = trips;
        self.accounts.insert(account.to_owned());
        None
    }

    fn share(&self, budget: &RuleBudget, stopped: usize) -> Option<String> {
        let all = self.all_accounts?;
        let within = stopped <= MIN_ACCOUNTS_FOR_SHARE
            || stopped * 100 <= budget.accounts_percent as usize * all;
        (!within).then(|| {
            format!(
                "it stopped {stopped} accounts within an hour; its budget is {} % of them",
                budget.accounts_percent
            )
        })
    }

    fn amount(&self, budget: &RuleBudget, account: &str) -> Option<String> {
        let most = budget.amount?;
        let before = self
            .accounts
            .iter()
            .map(String::as_str)
            .filter(|before| *before != account);
        let mut sums = BudgetBalances::new();
        for (currency, amount) in before
            .chain([account])
            .filter_map(|a| self.held.get(a))
            .flatten()
        {
            let sum = sums.entry(currency.clone()).or_default();
            *sum = sum.saturating_add(*amount);
        }
        let (currency, sum) = sums.into_iter().find(|(_, sum)| *sum > most)?;
        Some(format!(
            "it stopped {sum} {currency} within an hour; its budget is {most}"
        ))
    }

    /// Says how many accounts must be counted to know the share of `stopped` ones.
    pub fn needed(budget: &RuleBudget, stopped: usize) -> Option<usize> {
        let percent = budget.accounts_percent as usize;
        (stopped > MIN_ACCOUNTS_FOR_SHARE && percent < 100)
            .then(|| stopped * 100 / percent.max(1) + 1)
    }
}

#[cfg(test)]
mod tests;
