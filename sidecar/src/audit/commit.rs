//! What snapshots commit. Each commit asks first whether the lease is still ours.
//!
//! A verdict's id of a difference at rest: it has no position of its own, and a
//! standing difference is one verdict, not one per run. So `finding_id` is derived
//! from rule, mode, account and item (the item says what is wrong and by how much; a
//! rule that is promoted says it again, since now it stops something). While its row
//! is there, nothing is said. The verdict's id is derived from it and the position at
//! which it was first seen: once a complete run did not find it any more the row
//! goes, and the same fault a month later is a new verdict.

use crate::audit::repo::{self, AuditRun, SourceGap};
use crate::health::status::SidecarStatus;
use crate::leader::checkpoint_repo::{CheckpointRow, write_checkpoint};
use crate::leader::lease_repo::{LEASE_TTL_US, renew};
use crate::metrics::SidecarMetrics;
use crate::rules::runtime::finding::Finding;
use crate::rules::runtime::rule_set::RuleSet;
use crate::verdicts::{Verdict, verdicts};
use crate::workflow::arming::{ArmingDecider, ArmingResult};
use crate::workflow::record::{record_verdicts, report_recorded};
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
const MAX_ATTEMPTS: u32 = 10;
const RETRY_DELAY: Duration = Duration::from_millis(100);
/// A silent server must not hold a run for ever.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a run ends early.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("another sidecar holds the lease")]
    LeaseLost,
    #[error("{0:#}")]
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for AuditError {
    fn from(error: anyhow::Error) -> Self {
        AuditError::Failed(error)
    }
}

impl From<mysql_async::Error> for AuditError {
    fn from(error: mysql_async::Error) -> Self {
        AuditError::Failed(error.into())
    }
}

/// What closes a gap, with the run's last commit.
pub struct GapClosing {
    pub gap: SourceGap,
    pub checkpoint: CheckpointRow,
    pub rules_hash: String,
    /// Says that the gap was not decided; none at the first start.
    pub verdict: Option<Verdict>,
}

pub struct AuditWriter {
    pub rules: Arc<RuleSet>,
    pub rules_changed: Arc<Notify>,
    pub split_books: bool,
    pub pool: Pool,
    pub schemas: Schemas,
    pub owner: String,
    pub epoch: i64,
    pub metrics: &'static SidecarMetrics,
    pub status: SidecarStatus,
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

impl AuditWriter {
    /// Commits what is said for the first time; returns the ids of everything that
    /// stands, and how much of it is new.
    pub async fn record_findings(
        &self,
        found: &[(Finding, String)],
    ) -> Result<(HashSet<String>, u64), AuditError> {
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
        let mut tries = CommitRetry(0);
        loop {
            if let Some(told) = tries.answer(self.try_record_findings(&new)).await {
                return Ok((seen, told?));
            }
        }
    }

    async fn try_record_findings(&self, found: &[(String, Finding)]) -> Result<u64, AuditError> {
        let mut conn = self.pool.get_conn().await?;
        let mut tx = conn.start_transaction(TxOpts::default()).await?;
        let now = now_us();
        if !renew(
            &mut tx,
            &self.schemas,
            &self.owner,
            self.epoch,
            now + LEASE_TTL_US,
        )
        .await?
        {
            tx.rollback().await?;
            return Err(AuditError::LeaseLost);
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
        let new = record_verdicts(&mut tx, &self.judge(now), &verdicts).await?;
        let rows: Vec<_> = fresh
            .iter()
            .map(|(id, f)| (id.as_str(), f.rule.id.as_str(), f.verdict_id.as_str()))
            .collect();
        repo::insert_standing(&mut tx, &self.schemas, &rows, now).await?;
        tx.commit().await?;
        report_recorded(&new, self.metrics, &self.status, &self.rules_changed);
        Ok(new.verdicts.len() as u64)
    }

    fn judge(&self, now_us: i64) -> ArmingDecider<'_> {
        ArmingDecider {
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
        run: &AuditRun,
        partial: &[String],
        seen: &HashSet<String>,
        closing: Option<&GapClosing>,
    ) -> Result<usize, AuditError> {
        let mut tries = CommitRetry(0);
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
        run: &AuditRun,
        partial: &[String],
        seen: &HashSet<String>,
        closing: Option<&GapClosing>,
    ) -> Result<usize, AuditError> {
        let mut conn = self.pool.get_conn().await?;
        let mut tx = conn.start_transaction(TxOpts::default()).await?;
        let now = now_us();
        if !renew(
            &mut tx,
            &self.schemas,
            &self.owner,
            self.epoch,
            now + LEASE_TTL_US,
        )
        .await?
        {
            tx.rollback().await?;
            return Err(AuditError::LeaseLost);
        }
        let gone = repo::forget_but(&mut tx, &self.schemas, partial, seen).await?;
        repo::insert_run(&mut tx, &self.schemas, run).await?;
        let mut said = ArmingResult::default();
        if let Some(closing) = closing {
            let verdict = closing.verdict.as_slice();
            said = record_verdicts(&mut tx, &self.judge(now), verdict).await?;
            repo::insert_gap(&mut tx, &self.schemas, &closing.gap).await?;
            let rows = std::slice::from_ref(&closing.checkpoint);
            write_checkpoint(&mut tx, &self.schemas, rows, &closing.rules_hash, now).await?;
        }
        tx.commit().await?;
        report_recorded(&said, self.metrics, &self.status, &self.rules_changed);
        Ok(gone)
    }
}

/// Tries again what may work a moment later. Ids are derived, so a commit whose answer
/// was lost does no harm.
struct CommitRetry(u32);

impl CommitRetry {
    /// The answer, unless it is to be tried again.
    async fn answer<T>(
        &mut self,
        attempt: impl Future<Output = Result<T, AuditError>>,
    ) -> Option<Result<T, AuditError>> {
        self.0 += 1;
        let silent = || Err(AuditError::Failed(anyhow::anyhow!("no answer within 10 s")));
        match tokio::time::timeout(COMMIT_TIMEOUT, attempt)
            .await
            .unwrap_or_else(|_| silent())
        {
            Err(AuditError::Failed(error)) if self.0 < MAX_ATTEMPTS && is_transient(&error) => {
                tokio::time::sleep(RETRY_DELAY).await;
                None
            }
            done => Some(done),
        }
    }
}

fn is_transient(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<mysql_async::Error>()
        .is_some_and(|e| is_retryable(e) || is_disconnect(e))
}
