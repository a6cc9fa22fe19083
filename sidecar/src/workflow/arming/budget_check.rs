//! Budgets at the commit: a rule that stops too much is disarmed, unless others find the
//! same accounts; then it is no mistake of one rule, and everybody is stopped. A critical rule
//! is never disarmed here: it goes on, and stops the point for a while until a person looks.

use crate::rules::runtime::finding::FindingOutcome;
use crate::rules::{RuleBudget, RuleMode, RuleSeverity};
use crate::verdicts::Verdict;
use crate::workflow::HOUR_US;
use crate::workflow::arming::{ArmingDecider, ArmingResult, TimedStop};
use crate::workflow::budgets::{self, BudgetWindow};
use mysql_async::Transaction;
use sluice_contract::breaker::widen;
use std::collections::{BTreeSet, HashSet};

/// Accounts by which it is judged whether other rules see the same.
const MAX_COMPARED_ACCOUNTS: usize = 500;

/// Reasons why one verdict is past its rule's budget.
struct BudgetOverrun {
    /// Too many errors.
    failing: Option<String>,
    /// Too much stopped.
    stopping: Option<String>,
}

impl BudgetOverrun {
    /// Charges a verdict to its rule's window: errors of the rule, and a breaker on one
    /// owner that is not open yet.
    fn charge(
        window: &mut BudgetWindow,
        budget: &RuleBudget,
        verdict: &Verdict,
        open: &HashSet<String>,
    ) -> BudgetOverrun {
        let opens = verdict
            .breakers
            .iter()
            .any(|b| !open.contains(&b.to_string()));
        let failed =
            verdict.outcome == FindingOutcome::Undetermined.as_str() && !verdict.is_unknown();
        BudgetOverrun {
            failing: failed.then(|| window.error(budget)).flatten(),
            stopping: (stops_one(verdict) && opens && !verdict.is_unknown())
                .then(|| window.trip(budget, &verdict.account_id))
                .flatten(),
        }
    }

    fn is_only_stopping(&self) -> bool {
        self.failing.is_none() && self.stopping.is_some()
    }
}

/// A breaker of it stops one owner of money.
fn stops_one(verdict: &Verdict) -> bool {
    verdict.breakers.iter().any(|b| b.scope.is_narrow())
}

impl ArmingResult {
    /// Decides on the verdict at `at`: its breakers are widened if other rules share what
    /// it found, and taken away once its rule is disarmed.
    fn decide(&mut self, at: usize, overrun: BudgetOverrun, shared: bool) {
        let verdict = &mut self.verdicts[at];
        let rule = verdict.rule.clone();
        let BudgetOverrun { failing, stopping } = overrun;
        if shared {
            let why = stopping.unwrap_or_default();
            let why = format!("{why}; other rules found the same accounts");
            self.widened.insert(rule.clone(), why);
            verdict.breakers.iter_mut().for_each(|b| *b = widen(b));
        } else if let Some(why) = failing.or(stopping.filter(|_| !self.widened.contains_key(&rule)))
        {
            if verdict.severity == RuleSeverity::Critical.as_str() {
                return self.stop_wider(at, why);
            }
            self.disarmed.entry(rule.clone()).or_insert(why);
        }
        if self.disarmed.contains_key(&rule) && stops_one(verdict) {
            verdict.mode = RuleMode::Alert.as_str();
            verdict.breakers.clear();
        }
    }
}

impl ArmingResult {
    /// Stops, beside whom the verdict at `at` names, the next wider scope for a while. A
    /// finding names an account and nothing between it and the point.
    fn stop_wider(&mut self, at: usize, why: String) {
        let verdict = &self.verdicts[at];
        let narrow = verdict.breakers.iter().filter(|b| b.scope.is_narrow());
        for key in narrow.map(widen) {
            if self.timed_stops.iter().all(|stop| stop.key != key) {
                self.timed_stops.push(TimedStop {
                    key,
                    verdict_id: verdict.verdict_id.clone(),
                    reason: format!("{} is past its budget: {why}", verdict.rule),
                });
            }
        }
        self.overrun.entry(verdict.rule.clone()).or_insert(why);
    }
}

impl ArmingDecider<'_> {
    /// Holds one rule's verdicts against its budget, in their order.
    pub(super) async fn spend(
        &self,
        tx: &mut Transaction<'_>,
        rule: &str,
        since_us: i64,
        open: &mut HashSet<String>,
        judged: &mut ArmingResult,
    ) -> anyhow::Result<()> {
        let budget = self.budget_of(rule);
        let mut window = self
            .window(tx, rule, since_us, &budget, &judged.verdicts)
            .await?;
        for at in 0..judged.verdicts.len() {
            let verdict = &judged.verdicts[at];
            if verdict.rule != rule || verdict.breakers.is_empty() {
                continue;
            }
            let overrun = BudgetOverrun::charge(&mut window, &budget, verdict, open);
            let undecided =
                !judged.disarmed.contains_key(rule) && !judged.widened.contains_key(rule);
            let shared = overrun.is_only_stopping()
                && undecided
                && self.others_agree(tx, rule, &window, judged).await?;
            judged.decide(at, overrun, shared);
            let breakers = &judged.verdicts[at].breakers;
            open.extend(breakers.iter().map(ToString::to_string));
        }
        Ok(())
    }

    fn budget_of(&self, rule: &str) -> RuleBudget {
        self.rules
            .and_then(|set| set.rules().find(|h| h.id == rule))
            .map(|h| h.budget.clone())
            .unwrap_or_default()
    }

    async fn window(
        &self,
        tx: &mut Transaction<'_>,
        rule: &str,
        since_us: i64,
        budget: &RuleBudget,
        verdicts: &[Verdict],
    ) -> anyhow::Result<BudgetWindow> {
        let mut window = budgets::repo::window(tx, self.schemas, rule, since_us).await?;
        let about = verdicts
            .iter()
            .filter(|v| v.rule == rule && !v.breakers.is_empty())
            .map(|v| v.account_id.clone());
        let accounts: BTreeSet<String> = window.accounts.iter().cloned().chain(about).collect();
        if self.split_books {
            return Ok(window);
        }
        // What is not known here must not keep verdicts from being written.
        if let Some(most) = BudgetWindow::needed(budget, accounts.len()) {
            let counted = budgets::repo::accounts(tx, self.schemas, most).await;
            window.all_accounts = counted
                .inspect_err(|error| tracing::warn!(%error, "accounts can't be counted"))
                .ok();
        }
        if budget.amount.is_some() {
            let held = budgets::repo::held(tx, self.schemas, &accounts).await;
            window.held = held
                .inspect_err(|error| tracing::warn!(%error, "balances can't be read"))
                .unwrap_or_default();
        }
        Ok(window)
    }

    /// Finds out whether most of the accounts that this rule stopped were also named by another
    /// armed rule: then it is no mistake of one rule, and money must stop.
    async fn others_agree(
        &self,
        tx: &mut Transaction<'_>,
        rule: &str,
        window: &BudgetWindow,
        judged: &ArmingResult,
    ) -> mysql_async::Result<bool> {
        let compared: BTreeSet<&str> = window
            .accounts
            .iter()
            .map(String::as_str)
            .take(MAX_COMPARED_ACCOUNTS)
            .collect();
        if compared.is_empty() {
            return Ok(false);
        }
        let others = judged.verdicts.iter().filter(|v| {
            let armed = v.is_armed() && v.suppression.is_none();
            v.rule != rule && armed && v.outcome == FindingOutcome::Violation.as_str()
        });
        let mut agree: BTreeSet<String> = others.map(|v| v.account_id.clone()).collect();
        agree.extend(
            budgets::repo::also_named(tx, self.schemas, rule, &compared, self.now_us - HOUR_US)
                .await?,
        );
        let agreed = compared
            .iter()
            .filter(|account| agree.contains(**account))
            .count();
        Ok(agreed * 2 >= compared.len())
    }
}
