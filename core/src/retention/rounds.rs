//! One round of a task: batches until one isn't full, at most so many.

use crate::retention::{Retention, RetentionTask, histories, repo};
use sluice_contract::clock::{now_us, trade_time};
use std::time::Duration;

/// Rows deleted by one statement: short enough to hold up nobody, below the thousand at
/// which MariaDB turns a list into a subquery.
pub(super) const MAX_ROWS_PER_BATCH: usize = 500;
/// Batches of a task before the others and the lease have their turn.
const MAX_BATCHES_PER_ROUND: usize = 200;
const BATCH_PAUSE: Duration = Duration::from_millis(50);
const US_PER_DAY: i64 = 86_400_000_000;

impl Retention {
    /// Deletes what is older than configured; returns how many rows.
    pub(super) async fn purge(&self, task: RetentionTask) -> anyhow::Result<u64> {
        let days = self.days(task);
        if days == 0 {
            return Ok(0);
        }
        let before_us = now_us() - days as i64 * US_PER_DAY;
        let mut deleted = 0;
        for _ in 0..MAX_BATCHES_PER_ROUND {
            let batch = self.batch(task, before_us).await?;
            deleted += batch.deleted;
            if batch.is_last {
                break;
            }
            tokio::time::sleep(BATCH_PAUSE).await;
        }
        Ok(deleted)
    }

    fn days(&self, task: RetentionTask) -> u64 {
        match task {
            RetentionTask::OutboxArchive => self.config.outbox_archive_days,
            RetentionTask::Transitions => self.config.transition_days,
            RetentionTask::Cases => self.config.case_days,
            RetentionTask::LimitTotals => self.config.limit_total_days,
            RetentionTask::FenceTokens => self.config.fence_token_days,
        }
    }

    async fn batch(&self, task: RetentionTask, before_us: i64) -> anyhow::Result<PurgedBatch> {
        let mut conn = self.pool.get_conn().await?;
        let (conn, schemas, max) = (&mut conn, &self.schemas, MAX_ROWS_PER_BATCH);
        let deleted = match task {
            RetentionTask::Transitions => return histories::batch(conn, before_us).await,
            RetentionTask::OutboxArchive => repo::purge_archive(conn, before_us, max).await?,
            RetentionTask::Cases => repo::purge_cases(conn, &self.key, before_us, max).await?,
            RetentionTask::LimitTotals => {
                // A month sorts before its days: `202611` < `20261101`.
                let month: String = trade_time(before_us, "UTC")?.chars().take(6).collect();
                repo::purge_totals(conn, &self.key, &month, max).await?
            }
            RetentionTask::FenceTokens => repo::purge_tokens(conn, schemas, before_us, max).await?,
        };
        Ok(PurgedBatch {
            deleted,
            is_last: deleted < max as u64,
        })
    }
}

/// Result of one batch.
pub(super) struct PurgedBatch {
    pub deleted: u64,
    pub is_last: bool,
}
