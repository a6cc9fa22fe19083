//! A stretch of the binlog that can't be read any more: its position was purged, or
//! is of another server. Also what lies before the first start.
//!
//! First the server's position P is taken, that of a snapshot. Then everything at rest
//! is checked; each reading is at P or later, so it shows what the gap left behind. One
//! transaction writes the gap's row, its verdict, and the checkpoint P; reading goes on
//! from there. A crash before that starts over with a newer P; after it, nothing is left
//! to do. Blind until then.
//!
//! What rows would have shown one by one stays undecided, and is said to be.

use crate::audit::audit_context::AuditContext;
use crate::audit::commit::{AuditError, GapClosing};
use crate::audit::repo::SourceGap;
use crate::audit::run::{AuditJob, AuditResult, servers};
use crate::audit::{AuditReason, schedule};
use crate::binlog::{preflight, reader};
use crate::health::blind::BlindCause;
use crate::leader::checkpoint_repo::CheckpointRow;
use crate::rules::runtime::rule_set::RuleSet;
use crate::stream::gtid::{Flavour, GtidSet};
use crate::stream::position::StartPosition;
use crate::verdicts::Verdict;
use anyhow::Context;
use futures_util::StreamExt;
use mysql_async::TxOpts;
use sha2::{Digest, Sha256};
use sluice_contract::clock::now_us;
use std::sync::Arc;
use std::time::Duration;

/// How often the lease is renewed meanwhile.
const LEASE_RENEW_INTERVAL: Duration = Duration::from_secs(1);
/// How long a server may take to say whether it has the position.
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a stored position that was lost is to be given up: the policy says so, and
/// the server says once more that it can't read on from there.
pub async fn is_lost(
    context: &AuditContext,
    flavour: Flavour,
    stored: &CheckpointRow,
) -> anyhow::Result<bool> {
    if !context.handle.is_lost(&stored.replay_from) || servers(context, flavour).is_err() {
        return Ok(false);
    }
    let position = GtidSet::parse(flavour, &stored.replay_from)?;
    let url = context.db.hosts.url();
    let asked = async {
        let mut conn = context.db.conn().await?;
        if !preflight::has_all(&mut conn, flavour, &position).await? {
            return Ok(true);
        }
        drop(conn);
        let opened = preflight::open(
            url,
            context.server_id,
            flavour,
            &position,
            StartPosition::Now,
        )
        .await;
        let error = match opened {
            Ok(mut stream) => match stream.next().await {
                Some(Err(error)) => error.into(),
                _ => return Ok(false),
            },
            Err(error) => error,
        };
        match error.downcast_ref::<mysql_async::Error>() {
            Some(mysql_async::Error::Server(e)) if reader::is_lost(e) => Ok(true),
            _ => Err(error),
        }
    };
    tokio::time::timeout(QUERY_TIMEOUT, asked)
        .await
        .context("the server was silent for 5 s")?
}

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
        () = context.stop.cancelled() => Err(AuditError::Failed(anyhow::anyhow!("shutting down"))),
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

fn closing(
    checked: &AuditResult,
    lost: Option<&CheckpointRow>,
    to: &str,
    found_us: i64,
    rules: &RuleSet,
) -> GapClosing {
    let from = lost.map_or("", |stored| stored.position.as_str());
    let standing = checked.row.open_findings;
    let message = format!(
        "changes after {from} up to {to} could not be read: rules on rows and pairs are undecided there. Snapshots \
         found {standing} differences at rest"
    );
    let id = Sha256::digest(format!("gap/binlog/{from}/{to}"));
    let verdict = Verdict {
        verdict_id: hex::encode(&id[..16]),
        before: None,
        rule: "gap".to_owned(),
        rule_hash: "0".repeat(16),
        mode: "alert",
        outcome: "undetermined",
        position: to.chars().take(190).collect(),
        item: "binlog".to_owned(),
        account_id: String::new(),
        message: message.chars().take(500).collect(),
        breakers: Vec::new(),
        set_version: rules.version(),
        amount: None,
        detail: None,
        suppression: None,
        opened: 0,
    };
    GapClosing {
        gap: SourceGap {
            source: "binlog",
            from_position: from.to_owned(),
            to_position: to.to_owned(),
            found_us,
            closed_us: now_us(),
            verdicts: standing,
        },
        checkpoint: CheckpointRow {
            source: "binlog".to_owned(),
            position: to.to_owned(),
            replay_from: to.to_owned(),
        },
        rules_hash: rules.hash().chars().take(16).collect(),
        // Nobody was promised anything before the first start.
        verdict: lost.map(|_| verdict),
    }
}

/// Nobody else commits while a gap is closed, so the lease is renewed here. Ends only
/// when it is lost.
async fn keep_lease(context: &AuditContext, epoch: i64) -> AuditError {
    loop {
        tokio::time::sleep(LEASE_RENEW_INTERVAL).await;
        let renewed = async {
            let mut conn = context.db.conn().await?;
            let mut tx = conn.start_transaction(TxOpts::default()).await?;
            let ours = context.db.renew_lease(&mut tx, epoch).await?;
            tx.commit().await?;
            mysql_async::Result::Ok(ours)
        };
        // A server that does not answer is asked again; the last commit asks too.
        if let Ok(Ok(false)) = tokio::time::timeout(QUERY_TIMEOUT, renewed).await {
            return AuditError::LeaseLost;
        }
    }
}
