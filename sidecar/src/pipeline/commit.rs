//! The committer: verdicts, breakers and checkpoint in one transaction, and only
//! after it the tokens. The checkpoint is also the heartbeat that comes back
//! through the binlog.

use crate::fence::FencePublisher;
use crate::health::blind::{Blind, BlindCause};
use crate::health::status::SidecarStatus;
use crate::kafka::dead_letters::{self, DeadLetterQueue};
use crate::leader::repo::{self, CheckpointRow, LEASE_TTL_US};
use crate::metrics::SidecarMetrics;
use crate::pipeline::evaluate::EvaluatedBatch;
use crate::rules::runtime::rule_set::RuleSet;
use crate::verdicts::shadow_limit::ShadowLimiter;
use crate::verdicts::{Verdict, verdicts};
use crate::workflow::arming::{ArmingDecider, ArmingResult};
use crate::workflow::record::{record_verdicts, report_recorded};
use mysql_async::{Pool, Transaction, TxOpts};
use sluice_contract::clock::now_us;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{is_disconnect, is_retryable};
use sluice_contract::telemetry::seconds;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Verdicts per transaction: one UPDATE of half a million rows must not make one that
/// never ends.
const MAX_VERDICTS_PER_COMMIT: usize = 2_000;
/// Retries of a commit: soon, then more slowly; never given up, nothing is dropped.
const RETRY_BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// A commit that fails for this long makes the sidecar blind.
const BLIND_AFTER_FAILING: Duration = Duration::from_secs(1);
/// One try of a commit; a silent server must not hold it for ever.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest position of a checkpoint.
const MAX_POSITION_CHARS: usize = repo::MAX_POSITION_BYTES;

/// How committing ended.
#[derive(Debug)]
pub enum LeadershipEnd {
    Cancelled,
    /// Another sidecar holds the lease.
    LeaseLost,
    /// Another host took over; a new reign begins at its checkpoint.
    Moved,
    /// The binlog can't be read on from where it was read to.
    PositionLost,
    /// A thread failed or panicked.
    Died(anyhow::Error),
}

pub struct BatchCommitter {
    pub pool: Pool,
    pub schemas: Schemas,
    pub owner: String,
    pub epoch: i64,
    pub checkpoint: Duration,
    pub fence: FencePublisher,
    pub blind: Blind,
    pub status: SidecarStatus,
    pub metrics: &'static SidecarMetrics,
    pub cancel: CancellationToken,
    pub binlog: CheckpointRow,
    /// Of servers 1, 2, …
    pub also: Vec<CheckpointRow>,
    pub kafka: Option<CheckpointRow>,
    pub rules_hash: String,
    pub dead_letters: DeadLetterQueue,
    pub shadow: ShadowLimiter,
    /// For budgets.
    pub rules: watch::Receiver<Option<Arc<RuleSet>>>,
    /// Told when a commit made a new set.
    pub rules_changed: Arc<Notify>,
    pub split_books: bool,
}

enum CommitFailure {
    LeaseLost,
    Again(mysql_async::Error),
    /// Not a matter of trying again, but a person may mend it.
    Wrong(String),
}

impl From<mysql_async::Error> for CommitFailure {
    fn from(error: mysql_async::Error) -> Self {
        if is_retryable(&error) || is_disconnect(&error) {
            CommitFailure::Again(error)
        } else {
            CommitFailure::Wrong(error.to_string())
        }
    }
}

impl BatchCommitter {
    /// Commits until cancelled or deposed, then writes a last checkpoint.
    pub async fn run(mut self, results: &mut mpsc::Receiver<EvaluatedBatch>) -> LeadershipEnd {
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
        LeadershipEnd::Cancelled
    }

    /// Takes all results that are there, commits what was found, then announces.
    async fn take(
        &mut self,
        first: EvaluatedBatch,
        results: &mut mpsc::Receiver<EvaluatedBatch>,
    ) -> Result<(), LeadershipEnd> {
        let mut all = vec![first];
        let mut found = all[0].findings.len();
        while found < MAX_VERDICTS_PER_COMMIT {
            let Ok(more) = results.try_recv() else { break };
            found += more.findings.len();
            all.push(more);
        }
        let numbered = |one: &mut EvaluatedBatch| {
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
            .for_each(|one| self.dead_letters.add(std::mem::take(&mut one.dead_letters)));
        let verdicts = &verdicts[last..];
        // Where Kafka began is written down before anything is told: whoever starts again
        // without it would begin at its end, and miss what was published meanwhile.
        let began = !had_kafka && self.kafka.is_some();
        if !verdicts.is_empty() || !self.dead_letters.is_empty() || began {
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
    async fn commit_most(&mut self, verdicts: &mut [Verdict]) -> Result<usize, LeadershipEnd> {
        if verdicts.len() > MAX_VERDICTS_PER_COMMIT {
            // What several rules say of an account is judged together: budgets ask for it.
            verdicts.sort_by(|a, b| a.account_id.cmp(&b.account_id));
        }
        let mut begin = 0;
        while verdicts.len() - begin > MAX_VERDICTS_PER_COMMIT {
            self.commit(&verdicts[begin..begin + MAX_VERDICTS_PER_COMMIT])
                .await?;
            begin += MAX_VERDICTS_PER_COMMIT;
        }
        Ok(begin)
    }

    fn advance(&mut self, one: &EvaluatedBatch) {
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
                    *none = Some(CheckpointRow {
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

    fn announce(&self, one: EvaluatedBatch) {
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
    pub async fn commit(&mut self, verdicts: &[Verdict]) -> Result<(), LeadershipEnd> {
        let begun = Instant::now();
        let mut pause = RETRY_BACKOFF.0;
        loop {
            let reason = match tokio::time::timeout(COMMIT_TIMEOUT, self.attempt(verdicts)).await {
                Ok(Ok(judged)) => {
                    self.metrics
                        .commit_seconds
                        .observe(begun.elapsed().as_secs_f64());
                    self.blind.clear(BlindCause::Commit);
                    self.recorded(&judged);
                    self.dead_letters.written();
                    return Ok(());
                }
                Ok(Err(CommitFailure::LeaseLost)) => return Err(LeadershipEnd::LeaseLost),
                Ok(Err(CommitFailure::Again(error))) => error.to_string(),
                Ok(Err(CommitFailure::Wrong(reason))) => {
                    pause = RETRY_BACKOFF.1;
                    reason
                }
                Err(_) => "no answer within 10 s".to_owned(),
            };
            if begun.elapsed() >= BLIND_AFTER_FAILING {
                self.blind.set(
                    BlindCause::Commit,
                    format!("verdicts and checkpoint can't be written, still trying: {reason}"),
                );
            }
            tokio::select! {
                () = self.cancel.cancelled() => return Err(LeadershipEnd::Cancelled),
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(RETRY_BACKOFF.1),
            }
        }
    }

    async fn attempt(&self, verdicts: &[Verdict]) -> Result<ArmingResult, CommitFailure> {
        // Empty: the first start at the oldest file, of which nothing was read yet.
        let begun = |row: &&CheckpointRow| !row.position.is_empty();
        let rows: Vec<CheckpointRow> = std::iter::once(&self.binlog)
            .chain(&self.also)
            .chain(&self.kafka)
            .filter(begun)
            .cloned()
            .collect();
        if let Some(row) = rows.iter().find(|r| {
            r.position.len() > MAX_POSITION_CHARS || r.replay_from.len() > MAX_POSITION_CHARS
        }) {
            return Err(CommitFailure::Wrong(format!(
                "the position of {} is longer than {MAX_POSITION_CHARS} characters; use fewer partitions or GTID domains",
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
            now + LEASE_TTL_US,
        )
        .await?
        {
            tx.rollback().await?;
            return Err(CommitFailure::LeaseLost);
        }
        let judged = self.record(&mut tx, verdicts, now).await?;
        if !self.dead_letters.is_empty() {
            dead_letters::repo::insert(&mut tx, &self.schemas, self.dead_letters.waiting(), now)
                .await?;
        }
        if self.dead_letters.prune() {
            dead_letters::repo::prune(&mut tx, &self.schemas).await?;
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
    ) -> Result<ArmingResult, CommitFailure> {
        let rules = self.rules.borrow().clone();
        let judge = ArmingDecider {
            schemas: &self.schemas,
            rules: rules.as_deref(),
            split_books: self.split_books,
            now_us,
        };
        record_verdicts(tx, &judge, verdicts)
            .await
            .map_err(|error| match error.downcast::<mysql_async::Error>() {
                Ok(error) => CommitFailure::from(error),
                Err(other) => CommitFailure::Wrong(format!("{other:#}")),
            })
    }

    fn recorded(&self, judged: &ArmingResult) {
        report_recorded(judged, self.metrics, &self.status, &self.rules_changed);
        let kafka_committed = self.kafka.as_ref().map(|row| row.position.clone());
        self.status.update(|s| s.kafka_committed = kafka_committed);
    }
}
