//! Arming: what becomes of findings at their commit, in this order: a suppression takes away
//! what it answers for; the mode in force takes away what is no longer armed; the
//! budget disarms a rule that stops too much, or, of a critical one, stops the point too for
//! a while: a cheap flood of findings must not end the strongest rule. A verdict on
//! everybody (scope `all`) always opens, and so does the incident that several rules see:
//! those are not the mistake of one rule. docs/decisions/008-who-wins-at-the-commit.md.

mod budget_check;
pub mod record;

use crate::breakers::{self, seal::BreakerSeal};
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::{BUILT_IN_RULES, RuleMode};
use crate::verdicts::Verdict;
use crate::workflow::{
    HOUR_US, mode_of, promotion_rules, publish_repo, repo, signed_rows_repo, suppressions,
};
use mysql_async::Transaction;
use sluice_contract::breaker::BreakerKey;
use sluice_contract::schema::Schemas;
use std::collections::{BTreeMap, BTreeSet};

/// Verdicts as they are decided, and what else this commit does.
#[derive(Debug, Default)]
pub struct ArmingResult {
    pub verdicts: Vec<Verdict>,
    /// Rules that went past their budget, and why.
    pub disarmed: BTreeMap<String, String>,
    /// Rules whose findings others share: they stopped everybody.
    pub widened: BTreeMap<String, String>,
    /// Critical rules that went past their budget, and why: they stay armed.
    pub overrun: BTreeMap<String, String>,
    /// Points that they stop for a while.
    pub timed_stops: Vec<TimedStop>,
    /// The set that the disarming made.
    pub version: Option<i64>,
    /// Version of the breakers' seal, if breakers moved.
    pub seal_version: Option<i64>,
}

/// A point that is stopped for a while, by the verdict of a critical rule past its budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedStop {
    pub key: BreakerKey,
    pub verdict_id: String,
    pub reason: String,
}

/// Decider of one commit.
pub struct ArmingDecider<'a> {
    pub schemas: &'a Schemas,
    /// For the rules' budgets; the usual one without it.
    pub rules: Option<&'a RuleSet>,
    /// Balances are on another server: shares and amounts are not known here.
    pub split_books: bool,
    pub now_us: i64,
    /// Time for which a critical rule past its budget stops the point, in µs.
    pub budget_stop_us: i64,
    /// Made anew by a commit that opens a breaker.
    pub seal: &'a BreakerSeal,
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
        suppressions::apply(
            tx,
            self.schemas,
            self.seal.rows(),
            &mut judged.verdicts,
            self.now_us,
        )
        .await?;
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
            judged.version = self.disarm(tx, version, &judged.disarmed).await?;
            if judged.version.is_none() {
                judged.disarmed.clear();
            }
        }
        Ok(judged)
    }

    /// Lowers verdicts to the mode in force: a person, or an earlier commit, may have taken
    /// the arms away since these were evaluated. Returns since when each rule has been armed.
    async fn lower(
        &self,
        tx: &mut Transaction<'_>,
        version: i64,
        verdicts: &mut [Verdict],
    ) -> mysql_async::Result<BTreeMap<String, i64>> {
        if version == 0 {
            return Ok(BTreeMap::new());
        }
        // A set that somebody else wrote takes nobody's arms away.
        let rows = self.seal.rows();
        if let Err(error) = signed_rows_repo::check(tx, self.schemas, rows, version).await {
            tracing::error!("verdicts keep the mode that they were evaluated in: {error:#}");
            return Ok(BTreeMap::new());
        }
        // What is no file is in no set, and nobody can disarm it.
        let of_set =
            |v: &&mut Verdict| !v.breakers.is_empty() && !BUILT_IN_RULES.contains(&v.rule.as_str());
        let armed = verdicts.iter().filter(|v| !v.breakers.is_empty());
        let rules: BTreeSet<&str> = armed.map(|v| v.rule.as_str()).collect();
        let modes = repo::modes(tx, self.schemas, version, &rules).await?;
        for verdict in verdicts.iter_mut().filter(of_set) {
            let mode = modes.get(&verdict.rule).and_then(|(mode, _)| mode_of(mode));
            let mode = match mode {
                Some(RuleMode::Trip) => continue,
                Some(mode @ (RuleMode::Draft | RuleMode::Shadow | RuleMode::Alert)) => mode,
                // Loaded as a whole, of this very version: its row was taken away since.
                None if self.is_loaded(version, &verdict.rule) => continue,
                // A rule that is out of the set by now was shadow at most.
                None => RuleMode::Shadow,
            };
            verdict.mode = mode.as_str();
            verdict.breakers.clear();
        }
        Ok(modes
            .into_iter()
            .map(|(rule, (_, since_us))| (rule, since_us))
            .collect())
    }

    fn is_loaded(&self, version: i64, rule: &str) -> bool {
        let loaded = self.rules.filter(|rules| rules.version() == version);
        loaded.is_some_and(|rules| {
            let mut all = rules.rules();
            all.any(|loaded| loaded.id == rule && loaded.mode == RuleMode::Trip)
        })
    }

    /// Puts a set in force without these arms; None if the one in force is not what sidecars
    /// wrote: nothing is built on that, and findings must be recorded all the same.
    async fn disarm(
        &self,
        tx: &mut Transaction<'_>,
        version: i64,
        disarmed: &BTreeMap<String, String>,
    ) -> anyhow::Result<Option<i64>> {
        let rows = self.seal.rows();
        let set = match signed_rows_repo::read_whole(tx, self.schemas, rows, version).await {
            Ok(set) => set,
            Err(error) => {
                tracing::error!("nothing is disarmed: {error:#}");
                return Ok(None);
            }
        };
        let rules: Vec<&str> = disarmed.keys().map(String::as_str).collect();
        let next = promotion_rules::disarm(&set, &rules, self.now_us);
        let reason: Vec<String> = disarmed
            .iter()
            .map(|(rule, why)| format!("{rule}: {why}"))
            .collect();
        let reason = crate::verdicts::cut(&reason.join("; "), repo::MAX_REASON_CHARS);
        let why = publish_repo::PublishReason {
            by: "budget",
            reason: &reason,
            content_of: None,
            at_us: self.now_us,
        };
        publish_repo::publish(tx, self.schemas, self.seal.rows(), &next, &why).await?;
        Ok(Some(next.version))
    }
}
