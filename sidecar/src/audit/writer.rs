//! Writer of audits: what they commit, each time under the lease.
//!
//! | phase | statement | round trips |
//! |---|---|---|
//! | begin, lock and renew the lease | `leader::transaction::begin` | 3 |
//! | which findings stand | `SELECT … FROM audit_finding` | 1 per 200 |
//! | verdicts and breakers of the new ones | `workflow::arming::record` | see there |
//! | they stand | `INSERT INTO audit_finding …` | 1 per 200 |
//! | commit | `COMMIT` | 1 |

use crate::audit::finding_id::{StandingFinding, identify};
use crate::audit::findings_repo;
use crate::audit::runs_repo::{self, AuditRun, SourceGap};
use crate::breakers::seal::BreakerSeal;
use crate::health::status::SidecarStatus;
use crate::leader::checkpoint_repo::{CheckpointRow, write_checkpoint};
use crate::leader::retry::RetrySchedule;
use crate::leader::transaction::{self, LeaderError, LeaseTerm};
use crate::metrics::SidecarMetrics;
use crate::rules::runtime::finding::Finding;
use crate::rules::runtime::rule_set::RuleSet;
use crate::verdicts::{Verdict, verdicts};
use crate::workflow::arming::record::{record_verdicts, report_recorded};
use crate::workflow::arming::{ArmingDecider, ArmingResult};
use mysql_async::Pool;
use sluice_contract::clock::now_us;
use sluice_contract::schema::Schemas;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Tries of a commit; then the run starts over.
const COMMIT_RETRIES: RetrySchedule = RetrySchedule::fixed(10, Duration::from_millis(100));
/// A silent server must not hold a run for ever.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Rows that close a gap, with the run's last commit.
pub struct GapClosing {
    pub gap: SourceGap,
    pub checkpoint: CheckpointRow,
    pub rules_hash: String,
    /// Says that the gap was not decided; none at the first start.
    pub verdict: Option<Verdict>,
}

/// Writer of one run, under one leadership: its pool stays on the host that it began on.
pub struct AuditWriter {
    pub rules: Arc<RuleSet>,
    pub rules_changed: Arc<Notify>,
    pub split_books: bool,
    pub budget_stop_us: i64,
    pub pool: Pool,
    pub schemas: Schemas,
    pub owner: String,
    pub epoch: i64,
    pub metrics: &'static SidecarMetrics,
    pub status: SidecarStatus,
    pub seal: BreakerSeal,
}

impl AuditWriter {
    /// Commits what is said for the first time; returns the ids of everything that
    /// stands, and how much of it is new.
    ///
    /// # Errors
    /// The lease is lost, or the database refused it to the end.
    pub async fn record_findings(
        &self,
        found: &[(Finding, String)],
    ) -> Result<(HashSet<String>, u64), LeaderError> {
        let (seen, identified) = identify(found);
        let new = with_retries(|| self.try_record_findings(&identified)).await?;
        Ok((seen, new))
    }

    async fn try_record_findings(&self, found: &[StandingFinding]) -> Result<u64, LeaderError> {
        let now = now_us();
        let mut conn = self.pool.get_conn().await?;
        let mut tx = transaction::begin(&mut conn, self.term(), now).await?;
        let ids: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
        let stand = findings_repo::standing(&mut tx, &self.schemas, &ids, now).await?;
        let fresh = || found.iter().filter(|(id, _)| !stand.contains_key(id));
        let said: Vec<_> = fresh()
            .map(|(_, finding)| (finding.clone(), self.rules.version()))
            .collect();
        let new = record_verdicts(&mut tx, &self.decider(now), &verdicts(&said)).await?;
        let rows: Vec<_> = fresh()
            .map(|(id, f)| (id.as_str(), f.rule.id.as_str(), f.verdict_id.as_str()))
            .collect();
        findings_repo::insert_standing(&mut tx, &self.schemas, &rows, now).await?;
        tx.commit().await?;
        report_recorded(
            &new,
            &self.seal,
            self.metrics,
            &self.status,
            &self.rules_changed,
        );
        Ok(new.verdicts.len() as u64)
    }

    /// Commits that the run is complete: what it did not see does not stand any more, but
    /// for rules that saw only a part. Closes the gap that it was for, in the same
    /// transaction. Returns how many rows stand no more.
    ///
    /// # Errors
    /// The lease is lost, or the database refused it to the end.
    pub async fn complete(
        &self,
        run: &AuditRun,
        partial: &[String],
        seen: &HashSet<String>,
        closing: Option<&GapClosing>,
    ) -> Result<usize, LeaderError> {
        with_retries(|| self.try_complete(run, partial, seen, closing)).await
    }

    async fn try_complete(
        &self,
        run: &AuditRun,
        partial: &[String],
        seen: &HashSet<String>,
        closing: Option<&GapClosing>,
    ) -> Result<usize, LeaderError> {
        let now = now_us();
        let mut conn = self.pool.get_conn().await?;
        let mut tx = transaction::begin(&mut conn, self.term(), now).await?;
        let gone = findings_repo::forget_but(&mut tx, &self.schemas, partial, seen).await?;
        runs_repo::insert_run(&mut tx, &self.schemas, run).await?;
        let mut said = ArmingResult::default();
        if let Some(closing) = closing {
            let verdict = closing.verdict.as_slice();
            said = record_verdicts(&mut tx, &self.decider(now), verdict).await?;
            runs_repo::insert_gap(&mut tx, &self.schemas, &closing.gap).await?;
            let rows = std::slice::from_ref(&closing.checkpoint);
            let written = (rows, &*closing.rules_hash, now);
            write_checkpoint(&mut tx, &self.schemas, self.seal.rows(), written).await?;
        }
        tx.commit().await?;
        report_recorded(
            &said,
            &self.seal,
            self.metrics,
            &self.status,
            &self.rules_changed,
        );
        Ok(gone)
    }

    fn term(&self) -> LeaseTerm<'_> {
        LeaseTerm {
            schemas: &self.schemas,
            rows: self.seal.rows(),
            owner: &self.owner,
            epoch: self.epoch,
        }
    }

    fn decider(&self, now_us: i64) -> ArmingDecider<'_> {
        ArmingDecider {
            schemas: &self.schemas,
            rules: Some(&self.rules),
            split_books: self.split_books,
            now_us,
            budget_stop_us: self.budget_stop_us,
            seal: &self.seal,
        }
    }
}

/// Tries again what may work a moment later. Ids are derived, so a commit whose answer
/// was lost does no harm.
async fn with_retries<T, F>(attempt: impl Fn() -> F) -> Result<T, LeaderError>
where
    F: Future<Output = Result<T, LeaderError>>,
{
    let mut tries = COMMIT_RETRIES.begin();
    loop {
        let silent = || {
            Err(LeaderError::Failed(anyhow::anyhow!(
                "no answer within 10 s"
            )))
        };
        let answer = tokio::time::timeout(COMMIT_TIMEOUT, attempt())
            .await
            .unwrap_or_else(|_| silent());
        let transient = answer.as_ref().is_err_and(LeaderError::is_transient);
        match tries.after_failure() {
            Some(pause) if transient => tokio::time::sleep(pause).await,
            _ => return answer,
        }
    }
}
