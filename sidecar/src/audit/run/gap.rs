//! A gap: a stretch of the binlog that can't be read any more: its position was purged, or
//! is of another server. Also what lies before the first start.
//!
//! First the server's position P is taken, that of a snapshot. Then everything at rest
//! is checked; each reading is at P or later, so it shows what the gap left behind. One
//! transaction writes the gap's row, its verdict, and the checkpoint P; reading goes on
//! from there. A crash before that starts over with a newer P; after it, nothing is left
//! to do. Blind until then.
//!
//! What rows would have shown one by one stays undecided, and is said to be.

use crate::audit::AuditReason;
use crate::audit::audit_context::AuditContext;
use crate::audit::run::gap_rows::closing;
use crate::audit::run::give_way::StreamPatience;
use crate::audit::run::job::AuditJob;
use crate::audit::run::schedule;
use crate::health::blind::BlindCause;
use crate::leader::checkpoint_repo::CheckpointRow;
use crate::leader::transaction::{self, LeaderError, LeaseTerm};
use crate::rules::runtime::rule_set::RuleSet;
use crate::stream::gtid::Flavour;
use anyhow::Context;
use sluice_contract::clock::now_us;
use std::sync::Arc;
use std::time::Duration;

/// Pause between two renewals of the lease meanwhile.
const LEASE_RENEW_INTERVAL: Duration = Duration::from_secs(1);
/// Time that a server has to answer.
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// Closes the gap after `lost` (`None`: the first start) and returns the checkpoint
/// from which to read on; it is committed.
pub async fn close(
    context: &AuditContext,
    epoch: i64,
    flavour: Flavour,
    rules: &Arc<RuleSet>,
    lost: Option<&CheckpointRow>,
) -> anyhow::Result<CheckpointRow> {
    let why = match lost {
        Some(stored) => {
            format!(
                "position {} lost: everything at rest is checked before reading on",
                stored.replay_from
            )
        }
        None => "the first start: everything at rest is checked before reading".to_owned(),
    };
    context.health.blind.set(BlindCause::Binlog, why);
    let found_us = now_us();
    let job = AuditJob {
        context,
        epoch,
        flavour,
        rules: Arc::clone(rules),
        reason: AuditReason::Gap,
        patience: StreamPatience::of(AuditReason::Gap, Duration::ZERO),
    };
    let done = async {
        let checked = schedule::started(&job).check().await?;
        // Taken before the first reading.
        let position = checked.row.position.clone();
        let closing = closing(&checked, lost, &position, found_us, rules);
        Ok((
            job.finish(checked, Some(&closing)).await?,
            closing.checkpoint,
        ))
    };
    let done = tokio::select! {
        done = done => done,
        stop = keep_lease(context, epoch) => Err(stop),
        () = context.stop.cancelled() => Err(LeaderError::Failed(anyhow::anyhow!("shutting down"))),
    };
    let (done, checkpoint) = match done {
        Ok((run, checkpoint)) => (Ok(run), Some(checkpoint)),
        Err(stop) => (Err(stop), None),
    };
    schedule::ended(context, &done);
    done.context("checking what a gap left behind")?;
    if let Some(lost) = lost {
        context.handle.found_again();
        tracing::warn!(from = lost.position, "the gap is closed; reading on");
    }
    checkpoint.context("a gap was closed without a checkpoint")
}

/// Nobody else commits while a gap is closed, so the lease is renewed here. The
/// future ends only when it is lost.
async fn keep_lease(context: &AuditContext, epoch: i64) -> LeaderError {
    loop {
        tokio::time::sleep(LEASE_RENEW_INTERVAL).await;
        let renewed = async {
            let mut conn = context.db.conn().await?;
            let term = LeaseTerm {
                schemas: &context.db.schemas,
                rows: context.db.seal.rows(),
                owner: &context.db.owner,
                epoch,
            };
            let tx = transaction::begin(&mut conn, term, now_us()).await?;
            tx.commit().await?;
            Ok::<(), LeaderError>(())
        };
        // A server that does not answer is asked again; the last commit asks too.
        match tokio::time::timeout(QUERY_TIMEOUT, renewed).await {
            Ok(Err(LeaderError::LeaseLost)) => return LeaderError::LeaseLost,
            Ok(Ok(()) | Err(LeaderError::Failed(_))) | Err(_) => {}
        }
    }
}
