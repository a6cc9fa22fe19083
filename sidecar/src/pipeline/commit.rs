//! The committer: verdicts, breakers and checkpoint in one transaction, and only
//! after it the tokens. The checkpoint is also the heartbeat that comes back
//! through the binlog.

use super::evaluate::Evaluated;
use super::repo::{self, Checkpoint};
use crate::blind::{Blind, Cause};
use crate::breakers::{self, Move, Moved};
use crate::fence::Fence;
use crate::metrics::Metrics;
use crate::status::Status;
use crate::verdicts::{Verdict, cut, repo as verdict_repo, verdicts};
use mysql_async::{Pool, TxOpts};
use sluice_contract::breaker::BreakerState;
use sluice_contract::clock::now_us;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{is_disconnect, is_retryable};
use sluice_contract::telemetry::seconds;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long a lease lasts without being renewed; every commit renews it.
pub const LEASE_US: i64 = 5_000_000;
/// Findings per transaction: a bad rule must not make one that never ends.
const MOST_FINDINGS: usize = 2_000;
/// Retries of a commit: soon, then more slowly; never given up, nothing is dropped.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// A commit that fails for this long makes the sidecar blind.
const BLIND_AFTER: Duration = Duration::from_secs(1);
/// One try of a commit; a silent server must not hold it for ever.
const PATIENCE: Duration = Duration::from_secs(10);
/// Width of `reason` in the breakers' tables.
const REASON: usize = 400;
/// Width of `position` in the checkpoint.
const POSITION: usize = 400;

/// How committing ended.
#[derive(Debug)]
pub enum End {
    Cancelled,
    /// Another sidecar holds the lease.
    Deposed,
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
    pub kafka: Option<Checkpoint>,
    pub rules_hash: String,
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
            tracing::warn!("the last checkpoint could not be written; the next start reads a little more");
        }
        End::Cancelled
    }

    /// Takes all results that are there, commits what was found, then announces.
    async fn take(&mut self, first: Evaluated, results: &mut mpsc::Receiver<Evaluated>) -> Result<(), End> {
        let mut all = vec![first];
        let mut found = all[0].findings.len();
        while found < MOST_FINDINGS {
            let Ok(more) = results.try_recv() else { break };
            found += more.findings.len();
            all.push(more);
        }
        let findings: Vec<_> = all.iter_mut().flat_map(|one| std::mem::take(&mut one.findings)).collect();
        let had_kafka = self.kafka.is_some();
        all.iter().for_each(|one| self.advance(one));
        let verdicts = verdicts(&findings);
        // Where Kafka began is written down before anything is told: whoever starts again
        // without it would begin at its end, and miss what was published meanwhile.
        let began = !had_kafka && self.kafka.is_some();
        if !verdicts.is_empty() || began {
            self.commit(&verdicts).await?;
        }
        for one in all {
            self.announce(one);
        }
        Ok(())
    }

    fn advance(&mut self, one: &Evaluated) {
        if let Some(position) = &one.binlog {
            self.binlog.position.clone_from(position);
        }
        if let Some(offsets) = &one.kafka {
            let position = offsets.render();
            match &mut self.kafka {
                Some(row) => row.position = position,
                none => {
                    *none = Some(Checkpoint { source: "kafka".to_owned(), replay_from: position.clone(), position })
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
            self.metrics.fence_token_seconds.observe(seconds(now.saturating_sub(token.updated_us)));
        }
        self.metrics.pairs_open.set(i64::try_from(one.pairs).unwrap_or(i64::MAX));
        self.fence.announce(&one.released, one.holds);
        self.status.update(|s| {
            s.binlog.clone_from(&self.binlog.position);
            s.kafka = self.kafka.as_ref().map(|k| k.position.clone());
            s.rules_hash.clone_from(&self.rules_hash);
            s.pairs_open = one.pairs;
            if let Some(heartbeat_us) = one.heartbeat_us {
                s.heartbeat_us = heartbeat_us;
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
                Ok(Ok(new)) => {
                    self.metrics.commit_seconds.observe(begun.elapsed().as_secs_f64());
                    self.blind.clear(Cause::Commit);
                    self.recorded(&new);
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
                self.blind
                    .set(Cause::Commit, format!("verdicts and checkpoint can't be written, still trying: {reason}"));
            }
            tokio::select! {
                () = self.cancel.cancelled() => return Err(End::Cancelled),
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(BACKOFF.1),
            }
        }
    }

    async fn attempt<'v>(&self, verdicts: &'v [Verdict]) -> Result<Vec<&'v Verdict>, Failure> {
        // Empty: the first start at the oldest file, of which nothing was read yet.
        let begun = |row: &&Checkpoint| !row.position.is_empty();
        let rows: Vec<Checkpoint> = std::iter::once(&self.binlog).chain(&self.kafka).filter(begun).cloned().collect();
        if let Some(row) = rows.iter().find(|r| r.position.len() > POSITION || r.replay_from.len() > POSITION) {
            return Err(Failure::Wrong(format!(
                "the position of {} is longer than {POSITION} characters; use fewer partitions or GTID domains",
                row.source
            )));
        }
        let mut conn = self.pool.get_conn().await?;
        let mut tx = conn.start_transaction(TxOpts::default()).await?;
        let now = now_us();
        if !repo::renew(&mut tx, &self.schemas, &self.owner, self.epoch, now + LEASE_US).await? {
            tx.rollback().await?;
            return Err(Failure::Deposed);
        }
        let known = if verdicts.is_empty() {
            Default::default()
        } else {
            verdict_repo::known(&mut tx, &self.schemas, verdicts).await?
        };
        let new: Vec<&Verdict> = verdicts.iter().filter(|v| !known.contains(&v.verdict_id)).collect();
        for wanted in moves(&new, now) {
            if let Moved::To(version) = breakers::repo::apply(&mut tx, &self.schemas, &wanted).await? {
                tracing::warn!(breaker = %wanted.key, version, reason = wanted.reason, "breaker opens");
            }
        }
        verdict_repo::insert(&mut tx, &self.schemas, &new, now).await?;
        repo::write_checkpoint(&mut tx, &self.schemas, &rows, &self.rules_hash, now).await?;
        tx.commit().await?;
        Ok(new)
    }

    fn recorded(&self, new: &[&Verdict]) {
        for verdict in new {
            verdict.log();
            self.metrics.verdicts.with_label_values(&[verdict.rule.as_str(), verdict.outcome]).inc();
        }
        self.status.update(|s| s.verdicts += new.len() as u64);
    }
}

/// Breakers to open, each once, in the order of their keys: the one lock order.
fn moves(new: &[&Verdict], at_us: i64) -> Vec<Move> {
    let mut moves: Vec<Move> = Vec::new();
    for (verdict, key) in new.iter().flat_map(|v| v.breakers.iter().map(move |key| (v, key.clone()))) {
        if moves.iter().any(|m| m.key == key) {
            continue;
        }
        let reason = cut(&format!("{}: {}", verdict.rule, verdict.message), REASON);
        let (verdict_id, by) = (Some(verdict.verdict_id.clone()), "sidecar".to_owned());
        moves.push(Move { key, to: BreakerState::Open, verdict_id, reason, by, at_us });
    }
    moves.sort_by_cached_key(|m| m.key.to_string());
    moves
}
