//! One transaction of the committer, and its retries.

use crate::health::blind::BlindCause;
use crate::kafka::dead_letters;
use crate::leader::checkpoint_repo::{self, CheckpointRow, MAX_POSITION_BYTES};
use crate::leader::lease_repo::{self, LEASE_TTL_US};
use crate::pipeline::commit::{BatchCommitter, LeadershipEnd};
use crate::verdicts::Verdict;
use crate::workflow::arming::{ArmingDecider, ArmingResult};
use crate::workflow::record::record_verdicts;
use mysql_async::{Transaction, TxOpts};
use sluice_contract::clock::now_us;
use sluice_contract::sql::{is_disconnect, is_retryable};
use std::time::{Duration, Instant};

/// Retries of a commit: soon, then more slowly; never given up, nothing is dropped.
const RETRY_BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// A commit that fails for this long makes the sidecar blind.
const BLIND_AFTER_FAILING: Duration = Duration::from_secs(1);
/// One try of a commit; a silent server must not hold it for ever.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Reason why one try did not commit.
pub(super) enum CommitFailure {
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
    /// Commits verdicts, breakers, checkpoint and lease; tries until it is done, or until
    /// the time to drain after a stop is over. Verdict ids make a repeat harmless.
    pub async fn commit(&mut self, verdicts: &[Verdict]) -> Result<(), LeadershipEnd> {
        let begun = Instant::now();
        let mut pause = RETRY_BACKOFF.0;
        loop {
            let answer = tokio::select! {
                biased;
                answer = tokio::time::timeout(COMMIT_TIMEOUT, self.attempt(verdicts)) => answer,
                () = self.stop.drain_over() => return Err(LeadershipEnd::Stopped),
            };
            let reason = match answer {
                Ok(Ok(judged)) => {
                    self.health
                        .metrics
                        .commit_seconds
                        .observe(begun.elapsed().as_secs_f64());
                    self.health.blind.clear(BlindCause::Commit);
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
                self.health.blind.set(
                    BlindCause::Commit,
                    format!("verdicts and checkpoint can't be written, still trying: {reason}"),
                );
            }
            tokio::select! {
                () = self.stop.drain_over() => return Err(LeadershipEnd::Stopped),
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(RETRY_BACKOFF.1),
            }
        }
    }

    /// Tries once: locks and renews the lease, then writes all of it.
    pub(super) async fn attempt(
        &self,
        verdicts: &[Verdict],
    ) -> Result<ArmingResult, CommitFailure> {
        // Empty: the first start at the oldest file, of which nothing was read yet.
        let begun = |row: &&CheckpointRow| !row.position.is_empty();
        let rows: Vec<CheckpointRow> = std::iter::once(&self.binlog)
            .chain(&self.also)
            .chain(&self.kafka)
            .filter(begun)
            .cloned()
            .collect();
        if let Some(row) = rows.iter().find(|r| {
            r.position.len() > MAX_POSITION_BYTES || r.replay_from.len() > MAX_POSITION_BYTES
        }) {
            return Err(CommitFailure::Wrong(format!(
                "the position of {} is longer than {MAX_POSITION_BYTES} characters; use fewer partitions or GTID domains",
                row.source
            )));
        }
        // Counted from here: a server that does not take it is behind as well.
        let now = now_us();
        self.health.status.update(|s| s.sends(now));
        let mut conn = self.pool.get_conn().await?;
        let mut tx = conn.start_transaction(TxOpts::default()).await?;
        if !lease_repo::renew(
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
        checkpoint_repo::write_checkpoint(&mut tx, &self.schemas, &rows, &self.rules_hash, now)
            .await?;
        tx.commit().await?;
        Ok(judged)
    }

    async fn record(
        &self,
        tx: &mut Transaction<'_>,
        verdicts: &[Verdict],
        now_us: i64,
    ) -> Result<ArmingResult, CommitFailure> {
        let rules = self.rules.current();
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
}
