//! The committer: verdicts, breakers and checkpoint in one transaction, and only
//! after it the tokens. The checkpoint is also the heartbeat that comes back
//! through the binlog.

use super::evaluate::Evaluated;
use super::repo::{self, Checkpoint};
use crate::aside::{self, Asides};
use crate::blind::{Blind, Cause};
use crate::breakers::{self, Move, Moved};
use crate::fence::Fence;
use crate::metrics::Metrics;
use crate::rules::RuleSet;
use crate::status::Status;
use crate::verdicts::shadow::Shadow;
use crate::verdicts::{Verdict, cut, repo as verdict_repo, verdicts};
use crate::workflow::judge::{Judge, Judged};
use mysql_async::{Pool, Transaction, TxOpts};
use sluice_contract::breaker::BreakerState;
use sluice_contract::clock::now_us;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{is_disconnect, is_retryable};
use sluice_contract::telemetry::seconds;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// How long a lease lasts without being renewed; every commit renews it.
pub const LEASE_US: i64 = 5_000_000;
/// Verdicts per transaction: one UPDATE of half a million rows must not make one that
/// never ends.
const MOST_FINDINGS: usize = 2_000;
/// Retries of a commit: soon, then more slowly; never given up, nothing is dropped.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// A commit that fails for this long makes the sidecar blind.
const BLIND_AFTER: Duration = Duration::from_secs(1);
/// One try of a commit; a silent server must not hold it for ever.
const PATIENCE: Duration = Duration::from_secs(10);
/// Width of `reason` in the breakers' tables.
const REASON: usize = 400;
/// Longest position of a checkpoint.
const POSITION: usize = repo::MOST_POSITION;

/// How committing ended.
#[derive(Debug)]
pub enum End {
    Cancelled,
    /// Another sidecar holds the lease.
    Deposed,
    /// Another host took over; a new reign begins at its checkpoint.
    Moved,
    /// The binlog can't be read on from where it was read to.
    Lost,
    /// A thread failed or panicked.
    Died(anyhow::Error),
}

pub struct Committer {
    pub pool: Pool,
    pub schemas: Schemas,
    pub owner: String,
    pub epoch: i64,
    pub checkpoint: Duration,
    pub fence: Fence,
    pub blind: Blind,
    pub status: Status,
    pub metrics: &'static Metrics,
    pub cancel: CancellationToken,
    pub binlog: Checkpoint,
    /// Of servers 1, 2, …
    pub also: Vec<Checkpoint>,
    pub kafka: Option<Checkpoint>,
    pub rules_hash: String,
    pub asides: Asides,
    pub shadow: Shadow,
    /// For budgets.
    pub rules: watch::Receiver<Option<Arc<RuleSet>>>,
    /// Told when a commit made a new set.
    pub rules_changed: Arc<Notify>,
    pub split_books: bool,
}

enum Failure {
    Deposed,
    Again(mysql_async::Error),
    /// Not a matter of trying again, but a person may mend it.
    Wrong(String),
}

impl From<mysql_async::Error> for Failure {
    fn from(error: mysql_async::Error) -> Self {
        if is_retryable(&error) || is_disconnect(&error) {
            Failure::Again(error)
        } else {
            Failure::Wrong(error.to_string())
        }
    }
}

impl Committer {
    /// Commits until cancelled or deposed, then writes a last checkpoint.
    pub async fn run(mut self, results: &mut mpsc::Receiver<Evaluated>) -> End {
        let mut beat = tokio::time::interval(self.checkpoint);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let committed = tokio::select! {
                biased;
                () = self.cancel.cancelled() => break,
                _ = beat.tick() => self.commit(&[]).await,
                result = results.recv() => match result {
                    Some(first) => self.take(first, results).await,
                    None => break,
                },
            };
            if let Err(end) = committed {
                return end;
            }
        }
        // Best effort: without it a restart reads a little more.
        let last = tokio::time::timeout(Duration::from_secs(1), self.attempt(&[])).await;
        if !matches!(last, Ok(Ok(_))) {
            tracing::warn!(
                "the last checkpoint could not be written; the next start reads a little more"
            );
        }
        End::Cancelled
    }

    /// Takes all results that are there, commits what was found, then announces.
    async fn take(
        &mut self,
        first: Evaluated,
        results: &mut mpsc::Receiver<Evaluated>,
    ) -> Result<(), End> {
        let mut all = vec![first];
        let mut found = all[0].findings.len();
        while found < MOST_FINDINGS {
            let Ok(more) = results.try_recv() else { break };
            found += more.findings.len();
            all.push(more);
        }
        let numbered = |one: &mut Evaluated| {
            let version = one.rules_version;
            std::mem::take(&mut one.findings)
                .into_iter()
                .map(move |finding| (finding, version))
        };
        let findings: Vec<_> = all.iter_mut().flat_map(numbered).collect();
        let mut verdicts = verdicts(&findings);
        drop(findings);
        self.shadow.keep(&mut verdicts, self.metrics);
        let last = self.commit_most(&mut verdicts).await?;
        let had_kafka = self.kafka.is_some();
        all.iter().for_each(|one| self.advance(one));
        all.iter_mut()
            .for_each(|one| self.asides.add(std::mem::take(&mut one.aside)));
        let verdicts = &verdicts[last..];
        // Where Kafka began is written down before anything is told: whoever starts again
        // without it would begin at its end, and miss what was published meanwhile.
        let began = !had_kafka && self.kafka.is_some();
        if !verdicts.is_empty() || !self.asides.is_empty() || began {
            self.commit(verdicts).await?;
        }
        for one in all {
            self.announce(one);
        }
        Ok(())
    }

    /// Commits what is too much for one transaction, under the checkpoint of before:
    /// ids are derived, so who starts again there repeats it without harm. Returns
    /// where the rest begins, which goes with the new checkpoint.
    async fn commit_most(&mut self, verdicts: &mut [Verdict]) -> Result<usize, End> {
        if verdicts.len() > MOST_FINDINGS {
            // What several rules say of an account is judged together: budgets ask for it.
            verdicts.sort_by(|a, b| a.account_id.cmp(&b.account_id));
        }
        let mut begin = 0;
        while verdicts.len() - begin > MOST_FINDINGS {
            self.commit(&verdicts[begin..begin + MOST_FINDINGS]).await?;
            begin += MOST_FINDINGS;
        }
        Ok(begin)
    }

    fn advance(&mut self, one: &Evaluated) {
        if let Some(position) = &one.binlog {
            self.binlog.position.clone_from(position);
        }
        for (server, position) in &one.also {
            if let Some(row) = server.checked_sub(1).and_then(|at| self.also.get_mut(at)) {
                row.position.clone_from(position);
            }
        }
        for (row, replay_from) in self.also.iter_mut().zip(&one.replay_also) {
            row.replay_from.clone_from(replay_from);
        }
        if let Some(offsets) = &one.kafka {
            let position = offsets.render();
            match &mut self.kafka {
                Some(row) => row.position = position,
                none => {
                    *none = Some(Checkpoint {
                        source: "kafka".to_owned(),
                        replay_from: position.clone(),
                        position,
                    })
                }
            }
        }
        if let Some((binlog, kafka)) = &one.replay {
            self.binlog.replay_from.clone_from(binlog);
            if let (Some(row), Some(kafka)) = (&mut self.kafka, kafka) {
                row.replay_from.clone_from(kafka);
            }
        }
        if *one.rules_hash != *self.rules_hash {
            self.rules_hash = one.rules_hash.chars().take(16).collect();
        }
    }

    fn announce(&self, one: Evaluated) {
        let now = now_us();
        for token in &one.released {
            self.metrics
                .fence_token_seconds
                .observe(seconds(now.saturating_sub(token.updated_us)));
        }
        self.metrics
            .pairs_open
            .set(i64::try_from(one.pairs).unwrap_or(i64::MAX));
        self.fence.announce(&one.released, one.holds);
        self.status.update(|s| {
            s.binlog.clone_from(&self.binlog.position);
            for row in std::iter::once(&self.binlog).chain(&self.also) {
                s.positions.insert(row.source.clone(), row.position.clone());
            }
            s.kafka = self.kafka.as_ref().map(|k| k.position.clone());
            s.rules_hash.clone_from(&self.rules_hash);
            s.pairs_open = one.pairs;
            if let Some(heartbeat_us) = one.heartbeat_us {
                s.came_back(heartbeat_us);
            }
        });
    }

    /// Commits verdicts, breakers, checkpoint and lease; tries until it is done.
    /// Verdict ids make a repeat harmless.
    pub async fn commit(&mut self, verdicts: &[Verdict]) -> Result<(), End> {
        let begun = Instant::now();
        let mut pause = BACKOFF.0;
        loop {
            let reason = match tokio::time::timeout(PATIENCE, self.attempt(verdicts)).await {
                Ok(Ok(judged)) => {
                    self.metrics
                        .commit_seconds
                        .observe(begun.elapsed().as_secs_f64());
                    self.blind.clear(Cause::Commit);
                    self.recorded(&judged);
                    self.asides.written();
                    return Ok(());
                }
                Ok(Err(Failure::Deposed)) => return Err(End::Deposed),
                Ok(Err(Failure::Again(error))) => error.to_string(),
                Ok(Err(Failure::Wrong(reason))) => {
                    pause = BACKOFF.1;
                    reason
                }
                Err(_) => "no answer within 10 s".to_owned(),
            };
            if begun.elapsed() >= BLIND_AFTER {
                self.blind.set(
                    Cause::Commit,
                    format!("verdicts and checkpoint can't be written, still trying: {reason}"),
                );
            }
            tokio::select! {
                () = self.cancel.cancelled() => return Err(End::Cancelled),
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(BACKOFF.1),
            }
        }
    }

    async fn attempt(&self, verdicts: &[Verdict]) -> Result<Judged, Failure> {
        // Empty: the first start at the oldest file, of which nothing was read yet.
        let begun = |row: &&Checkpoint| !row.position.is_empty();
        let rows: Vec<Checkpoint> = std::iter::once(&self.binlog)
            .chain(&self.also)
            .chain(&self.kafka)
            .filter(begun)
            .cloned()
            .collect();
        if let Some(row) = rows
            .iter()
            .find(|r| r.position.len() > POSITION || r.replay_from.len() > POSITION)
        {
            return Err(Failure::Wrong(format!(
                "the position of {} is longer than {POSITION} characters; use fewer partitions or GTID domains",
                row.source
            )));
        }
        // Counted from here: a server that does not take it is behind as well.
        let now = now_us();
        self.status.update(|s| s.sends(now));
        let mut conn = self.pool.get_conn().await?;
        let mut tx = conn.start_transaction(TxOpts::default()).await?;
        if !repo::renew(
            &mut tx,
            &self.schemas,
            &self.owner,
            self.epoch,
            now + LEASE_US,
        )
        .await?
        {
            tx.rollback().await?;
            return Err(Failure::Deposed);
        }
        let judged = self.record(&mut tx, verdicts, now).await?;
        if !self.asides.is_empty() {
            aside::repo::insert(&mut tx, &self.schemas, self.asides.waiting(), now).await?;
        }
        if self.asides.prune() {
            aside::repo::prune(&mut tx, &self.schemas).await?;
        }
        repo::write_checkpoint(&mut tx, &self.schemas, &rows, &self.rules_hash, now).await?;
        tx.commit().await?;
        Ok(judged)
    }

    async fn record(
        &self,
        tx: &mut Transaction<'_>,
        verdicts: &[Verdict],
        now_us: i64,
    ) -> Result<Judged, Failure> {
        let rules = self.rules.borrow().clone();
        let judge = Judge {
            schemas: &self.schemas,
            rules: rules.as_deref(),
            split_books: self.split_books,
            now_us,
        };
        record(tx, &judge, verdicts).await.map_err(|error| {
            match error.downcast::<mysql_async::Error>() {
                Ok(error) => Failure::from(error),
                Err(other) => Failure::Wrong(format!("{other:#}")),
            }
        })
    }

    fn recorded(&self, judged: &Judged) {
        recorded(judged, self.metrics, &self.status, &self.rules_changed);
        let kafka_committed = self.kafka.as_ref().map(|row| row.position.clone());
        self.status.update(|s| s.kafka_committed = kafka_committed);
    }
}

/// Writes those verdicts that are new, as they are judged, and opens their breakers.
/// The caller's transaction holds the lease's row, and commits.
pub async fn record(
    tx: &mut Transaction<'_>,
    judge: &Judge<'_>,
    verdicts: &[Verdict],
) -> anyhow::Result<Judged> {
    if verdicts.is_empty() {
        return Ok(Judged::default());
    }
    let known = verdict_repo::known(tx, judge.schemas, verdicts).await?;
    let new = verdicts
        .iter()
        .filter(|v| !known.contains(&v.verdict_id))
        .cloned()
        .collect();
    let mut judged = judge.judge(tx, new).await?;
    for wanted in moves(&judged.verdicts, judge.now_us) {
        if let Moved::To(version) = breakers::repo::apply(tx, judge.schemas, &wanted).await? {
            tracing::warn!(breaker = %wanted.key, version, reason = wanted.reason, "breaker opens");
            let by = judged
                .verdicts
                .iter_mut()
                .find(|v| Some(&v.verdict_id) == wanted.verdict_id.as_ref());
            by.into_iter().for_each(|verdict| verdict.opened += 1);
        }
    }
    verdict_repo::insert(tx, judge.schemas, &judged.verdicts, judge.now_us).await?;
    Ok(judged)
}

/// Says what was committed.
pub fn recorded(judged: &Judged, metrics: &Metrics, status: &Status, rules_changed: &Notify) {
    for verdict in &judged.verdicts {
        verdict.log();
        metrics
            .verdicts
            .with_label_values(&[verdict.rule.as_str(), verdict.outcome])
            .inc();
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
    status.update(|s| s.verdicts += judged.verdicts.len() as u64);
}

/// Breakers to open, each once, in the order of their keys: the one lock order.
fn moves(new: &[Verdict], at_us: i64) -> Vec<Move> {
    let (mut moves, mut moved) = (Vec::new(), HashSet::new());
    for (verdict, key) in new
        .iter()
        .flat_map(|v| v.breakers.iter().map(move |key| (v, key.clone())))
    {
        if !moved.insert(key.to_string()) {
            continue;
        }
        let reason = cut(&format!("{}: {}", verdict.rule, verdict.message), REASON);
        let (verdict_id, by) = (Some(verdict.verdict_id.clone()), "sidecar".to_owned());
        moves.push(Move {
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
