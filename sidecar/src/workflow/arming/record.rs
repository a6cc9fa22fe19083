//! Recording of verdicts: the transaction part that stores them and moves breakers.

use crate::breakers::seal::{BreakerSeal, SealState};
use crate::breakers::{self, BreakerMove, BreakerMoveResult};
use crate::health::status::SidecarStatus;
use crate::metrics::SidecarMetrics;
use crate::rules::BUILT_IN_RULES;
use crate::verdicts::life::VerdictLife;
use crate::verdicts::{Verdict, cut, open_repo, repo as verdict_repo};
use crate::workflow::arming::{ArmingDecider, ArmingResult, TimedStop};
use crate::workflow::timed::{self, TimedChange, TimedKind};
use mysql_async::Transaction;
use sluice_contract::breaker::BreakerState;
use std::collections::HashSet;
use tokio::sync::Notify;

/// Width of `reason` in the breakers' tables.
pub const MAX_BREAKER_REASON_CHARS: usize = 400;

/// Writes those verdicts that are new, as they are judged, and opens their breakers.
/// The caller's transaction holds the lease's row, and commits.
pub async fn record_verdicts(
    tx: &mut Transaction<'_>,
    judge: &ArmingDecider<'_>,
    verdicts: &[Verdict],
) -> anyhow::Result<ArmingResult> {
    if verdicts.is_empty() {
        return Ok(ArmingResult::default());
    }
    let known = verdict_repo::known(tx, judge.schemas, verdicts).await?;
    let new = verdicts
        .iter()
        .filter(|v| !known.contains(&v.verdict_id))
        .cloned()
        .collect();
    let mut judged = judge.judge(tx, new).await?;
    let repeated = verdicts.iter().filter(|v| known.contains(&v.verdict_id));
    let open = unanswered(tx, judge, repeated).await?;
    let all = || judged.verdicts.iter().chain(open.iter().copied());
    let moves = breaker_moves(all(), judge.now_us);
    if moves.is_empty() {
        verdict_repo::insert(tx, judge.schemas, &judged.verdicts, judge.now_us).await?;
        return Ok(judged);
    }
    let before = judge.seal.lock(tx, judge.schemas).await?;
    for wanted in moves {
        let at_us = before.time_of_move(wanted.at_us);
        if let BreakerMoveResult::To(version) =
            breakers::repo::apply(tx, judge.schemas, judge.seal.rows(), &wanted, at_us).await?
        {
            tracing::warn!(breaker = %wanted.key, version, reason = wanted.reason, "breaker opens");
            let by = judged
                .verdicts
                .iter_mut()
                .find(|v| Some(&v.verdict_id) == wanted.verdict_id.as_ref());
            by.into_iter().for_each(|verdict| verdict.opened += 1);
        }
    }
    stop_for_a_while(tx, judge, &before, &judged.timed_stops).await?;
    judged.seal_version = judge.seal.renew(tx, judge.schemas, &before).await?;
    verdict_repo::insert(tx, judge.schemas, &judged.verdicts, judge.now_us).await?;
    Ok(judged)
}

/// Finds the verdicts of built-in rules that nobody has answered, whoever wrote their rows:
/// their breakers open anyway, which does nothing where they are open. Only a person's reset
/// answers one, and a reset stands in the signed history.
async fn unanswered<'a>(
    tx: &mut Transaction<'_>,
    judge: &ArmingDecider<'_>,
    repeated: impl Iterator<Item = &'a Verdict>,
) -> mysql_async::Result<Vec<&'a Verdict>> {
    let mut open = Vec::new();
    for verdict in repeated.filter(|v| BUILT_IN_RULES.contains(&v.rule.as_str())) {
        let life = open_repo::life_of(tx, judge.schemas, &verdict.verdict_id).await?;
        let mut is_answered = life.is_none_or(|(life, _)| life != VerdictLife::Open.as_str());
        for key in &verdict.breakers {
            let rows = judge.seal.rows();
            is_answered &= breakers::repo::was_closed(tx, judge.schemas, rows, key).await?;
        }
        if !is_answered {
            open.push(verdict);
        }
    }
    Ok(open)
}

/// Opens the breakers that critical rules past their budget open for a while, each with the
/// row by which it ends; one that is open for a while already is so for longer.
async fn stop_for_a_while(
    tx: &mut Transaction<'_>,
    judge: &ArmingDecider<'_>,
    before: &SealState,
    stops: &[TimedStop],
) -> mysql_async::Result<()> {
    let until_us = judge.now_us.saturating_add(judge.budget_stop_us);
    for stop in stops {
        let reason = cut(&stop.reason, MAX_BREAKER_REASON_CHARS);
        let wanted = BreakerMove {
            key: stop.key.clone(),
            to: BreakerState::Open,
            verdict_id: Some(stop.verdict_id.clone()),
            reason: reason.clone(),
            by: timed::BY_BUDGET.to_owned(),
            at_us: judge.now_us,
        };
        let at_us = before.time_of_move(judge.now_us);
        let subject = stop.key.to_string();
        match breakers::repo::apply(tx, judge.schemas, judge.seal.rows(), &wanted, at_us).await? {
            BreakerMoveResult::To(version) => {
                let timed = TimedChange {
                    kind: TimedKind::Breaker,
                    subject,
                    version: version.to_string(),
                    until_us,
                    made_by: wanted.by,
                    reason,
                };
                timed::repo::put(tx, judge.schemas, &timed).await?;
            }
            BreakerMoveResult::AlreadyThere | BreakerMoveResult::SealBroken(_) => {
                let which = (TimedKind::Breaker, subject.as_str());
                timed::repo::extend(tx, judge.schemas, which, until_us).await?;
            }
        }
    }
    Ok(())
}

/// Reports what was committed.
pub fn report_recorded(
    judged: &ArmingResult,
    seal: &BreakerSeal,
    metrics: &SidecarMetrics,
    status: &SidecarStatus,
    rules_changed: &Notify,
) {
    seal.committed(judged.seal_version);
    report_verdicts(&judged.verdicts, metrics, status);
    for verdict in &judged.verdicts {
        if verdict.suppression.is_some() {
            metrics
                .workflow
                .suppressed
                .with_label_values(&[verdict.rule.as_str()])
                .inc();
        }
    }
    for (rule, why) in &judged.disarmed {
        tracing::error!(
            rule,
            why,
            set = judged.version,
            "past its budget: this rule stops nothing any more"
        );
        metrics
            .workflow
            .demotions
            .with_label_values(&[rule.as_str()])
            .inc();
    }
    for (rule, why) in &judged.overrun {
        tracing::error!(
            rule,
            why,
            "past its budget, and critical: it stays armed, and its points are stopped for a while"
        );
        metrics
            .workflow
            .overruns
            .with_label_values(&[rule.as_str()])
            .inc();
    }
    for (rule, why) in &judged.widened {
        tracing::error!(
            rule,
            why,
            "past its budget, and not alone: everybody is stopped"
        );
        metrics
            .workflow
            .widened
            .with_label_values(&[rule.as_str()])
            .inc();
    }
    if judged.version.is_some() {
        rules_changed.notify_one();
    }
}

/// Reports verdicts that were written down just now.
pub fn report_verdicts(verdicts: &[Verdict], metrics: &SidecarMetrics, status: &SidecarStatus) {
    for verdict in verdicts {
        verdict.log();
        metrics
            .verdicts
            .with_label_values(&[verdict.rule.as_str(), verdict.outcome])
            .inc();
    }
    status.update(|s| s.verdicts += verdicts.len() as u64);
}

/// Breakers to open, each once, in the order of their keys: the one lock order.
pub fn breaker_moves<'a>(
    found: impl IntoIterator<Item = &'a Verdict>,
    at_us: i64,
) -> Vec<BreakerMove> {
    let (mut moves, mut moved) = (Vec::new(), HashSet::new());
    for (verdict, key) in found
        .into_iter()
        .flat_map(|v| v.breakers.iter().map(move |key| (v, key.clone())))
    {
        if !moved.insert(key.to_string()) {
            continue;
        }
        let reason = cut(
            &format!("{}: {}", verdict.rule, verdict.message),
            MAX_BREAKER_REASON_CHARS,
        );
        let (verdict_id, by) = (Some(verdict.verdict_id.clone()), "sidecar".to_owned());
        moves.push(BreakerMove {
            key,
            to: BreakerState::Open,
            verdict_id,
            reason,
            by,
            at_us,
        });
    }
    moves.sort_by_cached_key(|m| m.key.to_string());
    moves
}
