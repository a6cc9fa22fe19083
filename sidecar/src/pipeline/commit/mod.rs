//! The committer: verdicts, breakers and checkpoint in one transaction, and only
//! after it the tokens. The checkpoint is also the heartbeat that comes back
//! through the binlog.
//!
//! | phase | statement | round trips |
//! |---|---|---|
//! | lock | `SELECT … lease … FOR UPDATE`, its renewal | 2 |
//! | record | budgets, suppressions, verdicts, breakers (none without a finding) | 0 to some 10 |
//! | dead letters | one INSERT for all that wait | 0 or 1 |
//! | checkpoint | one INSERT … ON DUPLICATE KEY UPDATE for all sources | 1 |
//! | commit | COMMIT; BEGIN goes before the lock | 2 |
//! | announce | fence lines and `/status`, in memory | 0 |
//!
//! A batch without a finding is announced without a commit: its position is safe with
//! the next checkpoint, and a restart before that reads it again.

mod advance;
mod state_outbox;
pub mod stop;
mod transaction;

pub use crate::pipeline::commit::state_outbox::StateOutbox;

use crate::active_rules::ActiveRuleSet;
use crate::breakers::seal::BreakerSeal;
use crate::fence::FencePublisher;
use crate::health::Health;
use crate::kafka::dead_letters::DeadLetterQueue;
use crate::leader::checkpoint_repo::CheckpointRow;
use crate::pipeline::commit::stop::CommitStop;
use crate::pipeline::evaluate::EvaluatedBatch;
use crate::verdicts::{Verdict, name_origins, verdicts};
use mysql_async::Pool;
use sluice_contract::schema::Schemas;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// Verdicts per transaction: one UPDATE of half a million rows must not make one that
/// never ends.
const MAX_VERDICTS_PER_COMMIT: usize = 2_000;
/// Time for the last checkpoint, which is tried once.
const LAST_CHECKPOINT_TIMEOUT: Duration = Duration::from_secs(1);

/// Cause that ends a leadership.
#[derive(Debug)]
pub enum LeadershipEnd {
    /// The program stops.
    Stopped,
    /// Another sidecar holds the lease.
    LeaseLost,
    /// Another host took over; a new leadership begins at its checkpoint.
    PrimaryMoved,
    /// The binlog can't be read on from where it was read to.
    PositionLost,
    /// A part failed, panicked, or ended although nobody stopped it.
    Died(anyhow::Error),
}

/// Writer of a leadership's results: the only one that commits checkpoints.
pub struct BatchCommitter {
    pub pool: Pool,
    pub schemas: Schemas,
    pub owner: String,
    pub epoch: i64,
    /// Between two checkpoints.
    pub checkpoint: Duration,
    pub fence: FencePublisher,
    pub health: Health,
    pub stop: CommitStop,
    pub binlog: CheckpointRow,
    /// Of servers 1, 2, …
    pub also: Vec<CheckpointRow>,
    pub kafka: Option<CheckpointRow>,
    pub rules_hash: String,
    pub dead_letters: DeadLetterQueue,
    /// For budgets; a commit that makes a new set notifies it.
    pub rules: ActiveRuleSet,
    pub split_books: bool,
    pub seal: BreakerSeal,
    pub state: StateOutbox,
}

impl BatchCommitter {
    /// Commits until the lease is lost, or until the queue is drained after the stop; then the last
    /// checkpoint stands at the last result that was evaluated.
    pub async fn run(mut self, results: &mut mpsc::Receiver<EvaluatedBatch>) -> LeadershipEnd {
        let mut beat = tokio::time::interval(self.checkpoint);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let committed = tokio::select! {
                biased;
                () = self.stop.drain_over() => break,
                _ = beat.tick() => self.commit(&[]).await,
                result = results.recv() => match result {
                    Some(first) => self.take(first, results).await,
                    None if self.stop.is_requested() => break,
                    // The evaluator died. Its supervisor says why, and ends us.
                    None => std::future::pending().await,
                },
            };
            if let Err(end) = committed {
                return end;
            }
        }
        self.last_checkpoint().await;
        LeadershipEnd::Stopped
    }

    /// Best effort: without it a restart reads a little more.
    async fn last_checkpoint(&mut self) {
        match tokio::time::timeout(LAST_CHECKPOINT_TIMEOUT, self.attempt(&[])).await {
            Ok(Ok(_)) => {
                self.state.committed();
                tracing::info!(position = self.binlog.position, "last checkpoint written");
            }
            Ok(Err(_)) | Err(_) => tracing::warn!(
                "the last checkpoint could not be written; the next start reads a little more"
            ),
        }
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
        let origins = all.iter_mut().map(|one| std::mem::take(&mut one.origins));
        name_origins(&mut verdicts, origins.flatten().collect());
        drop(findings);
        let last = self.commit_most(&mut verdicts).await?;
        let had_kafka = self.kafka.is_some();
        all.iter().for_each(|one| self.advance(one));
        let states = all.iter_mut().filter_map(|one| one.state.take());
        states.for_each(|state| self.state.wait(*state));
        all.iter_mut()
            .for_each(|one| self.dead_letters.add(std::mem::take(&mut one.dead_letters)));
        let verdicts = &verdicts[last..];
        // Where Kafka began is written down before anything is announced: whoever starts again
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
}
