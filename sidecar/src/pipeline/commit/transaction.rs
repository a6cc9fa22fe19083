//! One transaction of the committer, and its retries.

use crate::health::blind::BlindCause;
use crate::kafka::dead_letters;
use crate::leader::checkpoint_repo::{self, CheckpointRow, MAX_POSITION_BYTES};
use crate::leader::retry::RetrySchedule;
use crate::leader::transaction::{self, LeaderError, LeaseTerm};
use crate::pipeline::commit::{BatchCommitter, LeadershipEnd};
use crate::verdicts::Verdict;
use crate::workflow::arming::record::record_verdicts;
use crate::workflow::arming::{ArmingDecider, ArmingResult};
use mysql_async::Transaction;
use sluice_contract::clock::now_us;
use std::time::{Duration, Instant};

/// Retries of a commit: soon, then more slowly; never given up, nothing is dropped.
const COMMIT_RETRIES: RetrySchedule = RetrySchedule {
    max_attempts: None,
    first_pause: Duration::from_millis(20),
    max_pause: Duration::from_secs(1),
};
/// A commit that fails for this long makes the sidecar blind.
const BLIND_AFTER_FAILING: Duration = Duration::from_secs(1);
/// One try of a commit; a silent server must not hold it for ever.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);

impl BatchCommitter {
    /// Commits verdicts, breakers, checkpoint and lease; tries until it is done, or until
    /// the time to drain after a stop is over. Verdict ids make a repeat harmless.
    pub async fn commit(&mut self, verdicts: &[Verdict]) -> Result<(), LeadershipEnd> {
        let begun = Instant::now();
        let mut tries = COMMIT_RETRIES.begin();
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
                    self.state.committed();
                    return Ok(());
                }
                Ok(Err(LeaderError::LeaseLost)) => return Err(LeadershipEnd::LeaseLost),
                Ok(Err(failed)) => {
                    // Not a matter of a moment, but a person may mend it.
                    if !failed.is_transient() {
                        tries.slow_down();
                    }
                    failed.to_string()
                }
                Err(_) => "no answer within 10 s".to_owned(),
            };
            if begun.elapsed() >= BLIND_AFTER_FAILING {
                self.health.blind.set(
                    BlindCause::Commit,
                    format!("verdicts and checkpoint can't be written, still trying: {reason}"),
                );
            }
            let pause = tries.after_failure().unwrap_or(COMMIT_RETRIES.max_pause);
            tokio::select! {
                () = self.stop.drain_over() => return Err(LeadershipEnd::Stopped),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Tries once: locks and renews the lease, then writes all of it.
    pub(super) async fn attempt(&self, verdicts: &[Verdict]) -> Result<ArmingResult, LeaderError> {
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
            return Err(LeaderError::Failed(anyhow::anyhow!(
                "the position of {} is longer than {MAX_POSITION_BYTES} characters; use fewer partitions or GTID domains",
                row.source
            )));
        }
        // Counted from here: a server that does not take it is behind as well.
        let now = now_us();
        self.health.status.update(|s| s.sends(now));
        let mut conn = self.pool.get_conn().await?;
        let term = LeaseTerm {
            schemas: &self.schemas,
            owner: &self.owner,
            epoch: self.epoch,
        };
        let mut tx = transaction::begin(&mut conn, term, now).await?;
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
    ) -> Result<ArmingResult, LeaderError> {
        let rules = self.rules.current();
        let judge = ArmingDecider {
            schemas: &self.schemas,
            rules: rules.as_deref(),
            split_books: self.split_books,
            now_us,
            seal: &self.seal,
        };
        Ok(record_verdicts(tx, &judge, verdicts).await?)
    }
}
