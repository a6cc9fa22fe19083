//! Publication of the next set, if nobody was faster.

use crate::leader::retry::RetrySchedule;
use crate::verdicts::cut;
use crate::workflow::promotion::context::PromotionContext;
use crate::workflow::promotion::proposals_repo;
use crate::workflow::promotion::request::{PromotionRefusal, PromotionResult, no};
use crate::workflow::timed::{self, TimedChange, TimedKind};
use crate::workflow::{RuleSetVersion, publish_repo, repo};
use mysql_async::{Conn, TxOpts};
use sluice_contract::clock::now_us;
use std::time::Duration;

/// Tries against others who change the set at the same time: who was faster is done, so
/// nobody waits.
pub(super) const PUBLISH_RETRIES: RetrySchedule = RetrySchedule::fixed(5, Duration::ZERO);
pub(super) const TOO_MANY_OTHERS: &str = "others change the set at the same time; try again";

/// The next set, its author and reason.
pub(super) struct Publication<'a> {
    pub next: RuleSetVersion,
    pub by: &'a str,
    pub reason: &'a str,
    /// The earlier version whose content it has.
    pub content_of: Option<i64>,
    /// The rule whose proposal is settled by it.
    pub settles: Option<&'a str>,
    /// The row by which it comes back by itself.
    pub timed: Option<TimedChange>,
}

/// Reads the set in force.
pub(super) async fn in_force(
    context: &PromotionContext,
    conn: &mut Conn,
) -> Result<RuleSetVersion, PromotionRefusal> {
    let version = repo::active(conn, &context.db.schemas).await?;
    let Some(set) = repo::read(conn, &context.db.schemas, version).await? else {
        return no("there is no rule set yet");
    };
    Ok(set)
}

/// The set as it counts for what takes two people, and what runs in it for a while.
pub(super) async fn before_emergencies(
    context: &PromotionContext,
    conn: &mut Conn,
    set: &RuleSetVersion,
) -> Result<(RuleSetVersion, Vec<TimedChange>), PromotionRefusal> {
    let running = timed::repo::list(conn, &context.db.schemas).await?;
    Ok((timed::before_emergencies(set, &running), running))
}

/// Puts the next set in force; `None` if somebody else was faster.
pub(super) async fn publish_next(
    context: &PromotionContext,
    conn: &mut Conn,
    publication: Publication<'_>,
) -> Result<Option<PromotionResult>, PromotionRefusal> {
    let Publication { next, by, .. } = publication;
    let (of, key) = (next.clone(), context.transaction_keys.clone());
    if let Err(errors) = tokio::task::spawn_blocking(move || of.compile(key).map(drop)).await? {
        return no(format!("this set can't be loaded here: {errors}"));
    }
    let reason = cut(publication.reason, repo::MAX_REASON_CHARS);
    let why = publish_repo::PublishReason {
        by,
        reason: &reason,
        content_of: publication.content_of,
        at_us: now_us(),
    };
    let mut tx = conn.start_transaction(TxOpts::default()).await?;
    if !publish_repo::publish(
        &mut tx,
        &context.db.schemas,
        context.db.seal.rows(),
        &next,
        &why,
    )
    .await?
    {
        tx.rollback().await?;
        return Ok(None);
    }
    if let Some(rule) = publication.settles {
        proposals_repo::forget_proposal(&mut tx, &context.db.schemas, rule).await?;
    }
    if let Some(rule) = publication.settles {
        timed::repo::forget(&mut tx, &context.db.schemas, TimedKind::Mode, rule).await?;
    }
    if let Some(timed) = &publication.timed {
        timed::repo::put(&mut tx, &context.db.schemas, timed).await?;
    }
    tx.commit().await?;
    context.rules.changed.notify_one();
    let hash = next.hash();
    tracing::warn!(
        version = next.version,
        hash,
        by,
        reason,
        "another rule set is in force"
    );
    Ok(Some(PromotionResult::InForce {
        version: next.version,
        hash,
    }))
}
