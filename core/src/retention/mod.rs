//! Retention: deletes what nobody needs any more, by its configured age, never money.
//! One instance at a time does it, under a lease, in small statements with pauses between
//! them, away from the hot path.
//!
//! | what | goes | by |
//! |---|---|---|
//! | `outbox_archive` without a reason | so long after it left the outbox | age |
//! | `order_transition` of ended orders | so long after the order began | a cursor over orders |
//! | `cases` that are closed | so long after that | age |
//! | `limit_total` | once its month is so far back | period |
//! | `fence_token` | so long after the core that raised it was last there | age |
//!
//! Orders, attempts, balances, captures and entries stay for good. Rows of the guard schema
//! but tokens are the sidecar's to forget.

mod histories;
mod repo;
mod rounds;

use crate::config::RetentionConfig;
use crate::guard::lease;
use crate::metrics::METRICS;
use sluice_contract::clock::now_us;
use sluice_contract::provenance::TransactionSigner;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::Pool;
use sluice_contract::string_enum;
use sluice_contract::supervisor::Supervisor;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const LEASE_NAME: &str = "retention";
/// Longer than a batch of deletes takes, so that two instances hardly ever meet; if they
/// do, they delete the same rows.
const LEASE_DURATION_US: i64 = 60_000_000;

string_enum! {
    /// Rows that retention deletes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum RetentionTask("a task of retention") {
        OutboxArchive = "outbox_archive",
        Transitions = "order_transition",
        Cases = "cases",
        LimitTotals = "limit_total",
        FenceTokens = "fence_token",
    }
}

/// The part that deletes; each instance has one, and one of them works.
pub struct Retention {
    pub pool: Pool,
    pub schemas: Schemas,
    pub owner: String,
    pub config: RetentionConfig,
    /// Signs that watched rows go.
    pub key: TransactionSigner,
}

impl Retention {
    /// Starts it among `parts`.
    pub fn start(self, parts: &Supervisor) {
        parts.spawn("retention", self.run(parts.stop_token()));
    }

    async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let interval = Duration::from_secs(self.config.interval_s);
        while !stop.is_cancelled() {
            stop.run_until_cancelled(self.round()).await;
            stop.run_until_cancelled(tokio::time::sleep(interval)).await;
        }
        Ok(())
    }

    /// Does every task that is due, as long as the lease is ours.
    async fn round(&self) {
        for task in RetentionTask::ALL {
            match self.hold_lease().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    return tracing::warn!("retention waits for the database: {error:#}");
                }
            }
            match self.purge(task).await {
                Ok(deleted) => METRICS
                    .retention
                    .deleted
                    .with_label_values(&[task.as_str()])
                    .inc_by(deleted),
                Err(error) => {
                    METRICS.retention.failures.inc();
                    tracing::warn!(task = task.as_str(), "retention goes on later: {error:#}");
                }
            }
        }
    }

    async fn hold_lease(&self) -> anyhow::Result<bool> {
        let mut conn = self.pool.get_conn().await?;
        let (name, owner, life) = (LEASE_NAME, &self.owner, LEASE_DURATION_US);
        lease::take(&mut conn, &self.schemas, name, owner, now_us(), life).await
    }
}
