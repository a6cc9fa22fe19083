//! What snapshots commit. Each commit asks first whether the lease is still ours.
//!
//! A verdict's id of a difference at rest: it has no position of its own, and a
//! standing difference is one verdict, not one per run. So `finding_id` is derived
//! from rule, mode, account and item (the item says what is wrong and by how much; a
//! rule that is promoted says it again, since now it stops something). While its row
//! is there, nothing is said. The verdict's id is derived from it and the position at
//! which it was first seen: once a complete run did not find it any more the row
//! goes, and the same fault a month later is a new verdict.

use super::repo::{self, Gap, RunRow};
use crate::metrics::Metrics;
use crate::pipeline::commit::{LEASE_US, record, recorded};
use crate::pipeline::repo::{Checkpoint, renew, write_checkpoint};
use crate::rules::{Finding, RuleSet};
use crate::status::Status;
use crate::verdicts::{Verdict, verdicts};
use crate::workflow::judge::{Judge, Judged};
use mysql_async::{Pool, TxOpts};
use sha2::{Digest, Sha256};
use sluice_contract::clock::now_us;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{is_disconnect, is_retryable};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Tries of a commit and the pause between two; then the run starts over.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(100);
/// A silent server must not hold a run for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a run ends early.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    #[error("another sidecar holds the lease")]
    Deposed,
    #[error("{0:#}")]
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Stop::Failed(error)
    }
}

impl From<mysql_async::Error> for Stop {
    fn from(error: mysql_async::Error) -> Self {
        Stop::Failed(error.into())
    }
}

/// What closes a gap, with the run's last commit.
pub struct Closing {
    pub gap: Gap,
    pub checkpoint: Checkpoint,
    pub rules_hash: String,
    /// Says that the gap was not decided; none at the first start.
    pub verdict: Option<Verdict>,
}

pub struct Book {
    pub rules: Arc<RuleSet>,
    pub rules_changed: Arc<Notify>,
    pub split_books: bool,
    pub pool: Pool,
    pub schemas: Schemas,
    pub owner: String,
    pub epoch: i64,
    pub metrics: &'static Metrics,
    pub status: Status,
}

/// Hex of 16 bytes over the parts, each with its length.
fn derive(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..16])
}

/// The id under which a difference stands.
pub fn finding_id(finding: &Finding) -> String {
    // The finding's own id is of rule, function, account and item: its position is
    // the same for all that snapshot rules say.
    derive(&[&finding.verdict_id, finding.rule.mode.as_str()])
}

impl Book {
    /// Commits what is said for the first time; returns the ids of everything that
    /// stands, and how much of it is new.
    pub async fn say(&self, found: &[(Finding, String)]) -> Result<(HashSet<String>, u64), Stop> {
        let mut seen = HashSet::new();
        let mut new = Vec::new();
        for (finding, position) in found {
            let id = finding_id(finding);
            if seen.insert(id.clone()) {
                let verdict_id = derive(&[&id, position]);
                new.push((
                    id,
                    Finding {
                        verdict_id,
                        before: None,
                        position: position.as_str().into(),
                        ..finding.clone()
                    },
                ));
            }
        }
        let mut tries = Tries(0);
        loop {
            if let Some(told) = tries.answer(self.try_say(&new)).await {
                return Ok((seen, told?));
            }
        }
    }

    async fn try_say(&self, found: &[(String, Finding)]) -> Result<u64, Stop> {
        let mut conn = self.pool.get_conn().await?;
        let mut tx = conn.start_transaction(TxOpts::default()).await?;
        let now = now_us();
        if !renew(
            &mut tx,
            &self.schemas,
            &self.owner,
            self.epoch,
            now + LEASE_US,
        )
        .await?
        {
            tx.rollback().await?;
            return Err(Stop::Deposed);
        }
        let ids: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
        let stand = repo::standing(&mut tx, &self.schemas, &ids, now).await?;
        let fresh: Vec<_> = found
            .iter()
            .filter(|(id, _)| !stand.contains_key(id))
            .collect();
        let said: Vec<_> = fresh
            .iter()
            .map(|(_, finding)| (finding.clone(), self.rules.version()))
            .collect();
        let verdicts = verdicts(&said);
        let new = record(&mut tx, &self.judge(now), &verdicts).await?;
        let rows: Vec<_> = fresh
            .iter()
            .map(|(id, f)| (id.as_str(), f.rule.id.as_str(), f.verdict_id.as_str()))
            .collect();
        repo::insert_standing(&mut tx, &self.schemas, &rows, now).await?;
        tx.commit().await?;
        recorded(&new, self.metrics, &self.status, &self.rules_changed);
        Ok(new.verdicts.len() as u64)
    }

    fn judge(&self, now_us: i64) -> Judge<'_> {
        Judge {
            schemas: &self.schemas,
            rules: Some(&self.rules),
            split_books: self.split_books,
            now_us,
        }
    }

    /// The run is complete: what it did not see does not stand any more, but for rules
    /// that saw only a part. Closes the gap that it was for, in the same transaction.
    pub async fn complete(
        &self,
        run: &RunRow,
        partial: &[String],
        seen: &HashSet<String>,
        closing: Option<&Closing>,
    ) -> Result<usize, Stop> {
        let mut tries = Tries(0);
        loop {
            if let Some(gone) = tries
                .answer(self.try_complete(run, partial, seen, closing))
                .await
            {
                return gone;
            }
        }
    }

    async fn try_complete(
        &self,
        run: &RunRow,
        partial: &[String],
        seen: &HashSet<String>,
        closing: Option<&Closing>,
    ) -> Result<usize, Stop> {
        let mut conn = self.pool.get_conn().await?;
        let mut tx = conn.start_transaction(TxOpts::default()).await?;
        let now = now_us();
        if !renew(
            &mut tx,
            &self.schemas,
            &self.owner,
            self.epoch,
            now + LEASE_US,
        )
        .await?
        {
            tx.rollback().await?;
            return Err(Stop::Deposed);
        }
        let gone = repo::forget_but(&mut tx, &self.schemas, partial, seen).await?;
        repo::insert_run(&mut tx, &self.schemas, run).await?;
        let mut said = Judged::default();
        if let Some(closing) = closing {
            let verdict = closing.verdict.as_slice();
            said = record(&mut tx, &self.judge(now), verdict).await?;
            repo::insert_gap(&mut tx, &self.schemas, &closing.gap).await?;
            let rows = std::slice::from_ref(&closing.checkpoint);
            write_checkpoint(&mut tx, &self.schemas, rows, &closing.rules_hash, now).await?;
        }
        tx.commit().await?;
        recorded(&said, self.metrics, &self.status, &self.rules_changed);
        Ok(gone)
    }
}

/// Tries again what may work a moment later. Ids are derived, so a commit whose answer
/// was lost does no harm.
struct Tries(u32);

impl Tries {
    /// The answer, unless it is to be tried again.
    async fn answer<T>(
        &mut self,
        attempt: impl Future<Output = Result<T, Stop>>,
    ) -> Option<Result<T, Stop>> {
        self.0 += 1;
        let silent = || Err(Stop::Failed(anyhow::anyhow!("no answer within 10 s")));
        match tokio::time::timeout(PATIENCE, attempt)
            .await
            .unwrap_or_else(|_| silent())
        {
            Err(Stop::Failed(error)) if self.0 < TRIES && passes(&error) => {
                tokio::time::sleep(PAUSE).await;
                None
            }
            done => Some(done),
        }
    }
}

fn passes(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<mysql_async::Error>()
        .is_some_and(|e| is_retryable(e) || is_disconnect(e))
}
