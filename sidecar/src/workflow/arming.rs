//! What becomes of findings at their commit, in this order: a suppression takes away
//! what it answers for; the mode in force takes away what is no longer armed; the
//! budget disarms a rule that stops too much. A verdict on everybody (scope `all`)
//! always opens, and so does the incident that several rules see: those are not the
//! mistake of one rule. docs/decisions/008-who-wins-at-the-commit.md.

use crate::breakers;
use crate::rules::runtime::finding::FindingOutcome;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::{BUILT_IN_RULES, RuleBudget};
use crate::verdicts::Verdict;
use crate::workflow::budget::BudgetWindow;
use crate::workflow::{HOUR_US, budget_repo, promotion_rules, repo, suppressions};
use mysql_async::Transaction;
use sluice_contract::breaker::{BreakerKey, widen};
use sluice_contract::schema::Schemas;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Accounts by which it is judged whether other rules see the same.
const MAX_COMPARED_ACCOUNTS: usize = 500;

/// What else this commit does.
#[derive(Debug, Default)]
pub struct ArmingResult {
    pub verdicts: Vec<Verdict>,
    /// Rules that went past their budget, and why.
    pub disarmed: BTreeMap<String, String>,
    /// Rules whose findings others share: they stopped everybody.
    pub widened: BTreeMap<String, String>,
    /// The set that the disarming made.
    pub version: Option<i64>,
}

pub struct ArmingDecider<'a> {
    pub schemas: &'a Schemas,
    /// For the rules' budgets; the usual one without it.
    pub rules: Option<&'a RuleSet>,
    /// Balances are on another server: shares and amounts are not known here.
    pub split_books: bool,
    pub now_us: i64,
}

impl ArmingDecider<'_> {
    /// Decides on `new` verdicts within the commit's transaction.
    pub async fn judge(
        &self,
        tx: &mut Transaction<'_>,
        new: Vec<Verdict>,
    ) -> anyhow::Result<ArmingResult> {
        let mut judged = ArmingResult {
            verdicts: new,
            ..ArmingResult::default()
        };
        suppressions::apply(tx, self.schemas, &mut judged.verdicts, self.now_us).await?;
        if judged.verdicts.iter().all(|v| v.breakers.is_empty()) {
            return Ok(judged);
        }
        let version = repo::lock_active(tx, self.schemas).await?;
        let since = self.lower(tx, version, &mut judged.verdicts).await?;
        let rules: BTreeSet<String> = judged
            .verdicts
            .iter()
            .filter(|v| !v.breakers.is_empty())
            .map(|v| v.rule.clone())
            .collect();
        let wanted: Vec<&BreakerKey> = judged.verdicts.iter().flat_map(|v| &v.breakers).collect();
        let mut open = breakers::repo::open_among(tx, self.schemas, &wanted).await?;
        for rule in rules {
            let since_us = since
                .get(&rule)
                .copied()
                .unwrap_or(0)
                .max(self.now_us - HOUR_US);
            self.spend(tx, &rule, since_us, &mut open, &mut judged)
                .await?;
        }
        if version > 0 && !judged.disarmed.is_empty() {
            judged.version = Some(self.disarm(tx, version, &judged.disarmed).await?);
        }
        Ok(judged)
    }

    /// A person, or an earlier commit, may have taken the arms away since these were
    /// evaluated. Returns since when each rule has been armed.
    async fn lower(
        &self,
        tx: &mut Transaction<'_>,
        version: i64,
        verdicts: &mut [Verdict],
    ) -> mysql_async::Result<BTreeMap<String, i64>> {
        if version == 0 {
            return Ok(BTreeMap::new());
        }
        // What is no file is in no set, and nobody can disarm it.
        let of_set =
            |v: &&mut Verdict| !v.breakers.is_empty() && !BUILT_IN_RULES.contains(&v.rule.as_str());
        let armed = verdicts.iter().filter(|v| !v.breakers.is_empty());
        let rules: BTreeSet<&str> = armed.map(|v| v.rule.as_str()).collect();
        let modes = repo::modes(tx, self.schemas, version, &rules).await?;
        for verdict in verdicts.iter_mut().filter(of_set) {
            let mode = modes
                .get(&verdict.rule)
                .and_then(|(mode, _)| crate::workflow::mode_of(mode));
            if mode.is_none_or(|mode| mode.as_str() != "trip") {
                // A rule that is out of the set by now was shadow at most.
                verdict.mode = mode.map_or("shadow", |mode| mode.as_str());
                verdict.breakers.clear();
            }
        }
        Ok(modes
            .into_iter()
            .map(|(rule, (_, since_us))| (rule, since_us))
            .collect())
    }

    /// Holds one rule's verdicts against its budget, in their order.
    async fn spend(
        &self,
        tx: &mut Transaction<'_>,
        rule: &str,
        since_us: i64,
        open: &mut HashSet<String>,
        judged: &mut ArmingResult,
    ) -> anyhow::Result<()> {
        let budget = self
            .rules
            .and_then(|set| set.rules().find(|h| h.id == rule))
            .map(|h| h.budget.clone());
        let budget = budget.unwrap_or_default();
        let mut window = self
            .window(tx, rule, since_us, &budget, &judged.verdicts)
            .await?;
        for at in 0..judged.verdicts.len() {
            let verdict = &judged.verdicts[at];
            let stops_one = verdict.breakers.iter().any(|b| b.scope.is_narrow());
            let opens = verdict
                .breakers
                .iter()
                .any(|b| !open.contains(&b.to_string()));
            if verdict.rule != rule || verdict.breakers.is_empty() {
                continue;
            }
            let failed =
                verdict.outcome == FindingOutcome::Undetermined.as_str() && !verdict.is_unknown();
            let failing = failed.then(|| window.error(&budget)).flatten();
            let stopping = (stops_one && opens && !verdict.is_unknown())
                .then(|| window.trip(&budget, &verdict.account_id))
                .flatten();
            if failing.is_none()
                && stopping.is_some()
                && !judged.disarmed.contains_key(rule)
                && !judged.widened.contains_key(rule)
                && self.others_agree(tx, rule, &window, judged).await?
            {
                let why = format!(
                    "{}; other rules found the same accounts",
                    stopping.clone().unwrap_or_default()
                );
                judged.widened.insert(rule.to_owned(), why);
                let verdict = &mut judged.verdicts[at];
                verdict.breakers.iter_mut().for_each(|b| *b = widen(b));
            } else if let Some(why) =
                failing.or(stopping.filter(|_| !judged.widened.contains_key(rule)))
            {
                judged.disarmed.entry(rule.to_owned()).or_insert(why);
            }
            let verdict = &mut judged.verdicts[at];
            if judged.disarmed.contains_key(rule)
                && verdict.breakers.iter().any(|b| b.scope.is_narrow())
            {
                verdict.mode = "alert";
                verdict.breakers.clear();
            }
            open.extend(verdict.breakers.iter().map(ToString::to_string));
        }
        Ok(())
    }

    async fn window(
        &self,
        tx: &mut Transaction<'_>,
        rule: &str,
        since_us: i64,
        budget: &RuleBudget,
        verdicts: &[Verdict],
    ) -> anyhow::Result<BudgetWindow> {
        let mut window = budget_repo::window(tx, self.schemas, rule, since_us).await?;
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
            let counted = budget_repo::accounts(tx, self.schemas, most).await;
            window.all_accounts = counted
                .inspect_err(|error| tracing::warn!(%error, "accounts can't be counted"))
                .ok();
        }
        if budget.amount.is_some() {
            let held = budget_repo::held(tx, self.schemas, &accounts).await;
            window.held = held
                .inspect_err(|error| tracing::warn!(%error, "balances can't be read"))
                .unwrap_or_default();
        }
        Ok(window)
    }

    /// Whether most of the accounts that this rule stopped were also named by another
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
            let armed = matches!(v.mode, "alert" | "trip") && v.suppression.is_none();
            v.rule != rule && armed && v.outcome == FindingOutcome::Violation.as_str()
        });
        let mut agree: BTreeSet<String> = others.map(|v| v.account_id.clone()).collect();
        agree.extend(
            budget_repo::also_named(tx, self.schemas, rule, &compared, self.now_us - HOUR_US)
                .await?,
        );
        let agreed = compared
            .iter()
            .filter(|account| agree.contains(**account))
            .count();
        Ok(agreed * 2 >= compared.len())
    }

    async fn disarm(
        &self,
        tx: &mut Transaction<'_>,
        version: i64,
        disarmed: &BTreeMap<String, String>,
    ) -> anyhow::Result<i64> {
        let set = repo::read(tx, self.schemas, version).await?;
        let set = set
            .ok_or_else(|| anyhow::anyhow!("set {version} is in force, but its rules are gone"))?;
        let rules: Vec<&str> = disarmed.keys().map(String::as_str).collect();
        let next = promotion_rules::disarm(&set, &rules, self.now_us);
        let reason: Vec<String> = disarmed
            .iter()
            .map(|(rule, why)| format!("{rule}: {why}"))
            .collect();
        let reason = crate::verdicts::cut(&reason.join("; "), repo::MAX_REASON_CHARS);
        let why = repo::PublishReason {
            by: "budget",
            reason: &reason,
            content_of: None,
            at_us: self.now_us,
        };
        repo::publish(tx, self.schemas, &next, &why).await?;
        Ok(next.version)
    }
}
