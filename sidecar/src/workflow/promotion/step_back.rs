//! Steps down and back, at once: less is stopped or said.

use crate::rules::RuleMode;
use crate::workflow::promotion::context::PromotionContext;
use crate::workflow::promotion::publish::{
    PUBLISH_RETRIES, Publication, TOO_MANY_OTHERS, in_force, publish_next,
};
use crate::workflow::promotion::request::{PromotionRefusal, PromotionResult, no};
use crate::workflow::{MAX_KEPT_SETS, promotion_rules, repo};
use sluice_contract::clock::now_us;

/// Takes a rule down, at once.
pub async fn demote(
    context: &PromotionContext,
    rule: &str,
    to: RuleMode,
    by: &str,
    reason: &str,
) -> Result<PromotionResult, PromotionRefusal> {
    let mut conn = context.db.conn().await?;
    let mut tries = PUBLISH_RETRIES.begin();
    loop {
        let set = in_force(context, &mut conn).await?;
        let next =
            promotion_rules::demote(&set, rule, to, now_us()).map_err(PromotionRefusal::Reasons)?;
        let reason = format!("demote {rule} to {}: {reason}", to.as_str());
        let publication = Publication {
            next,
            by,
            reason: &reason,
            content_of: None,
            settles: Some(rule),
        };
        if let Some(done) = publish_next(context, &mut conn, publication).await? {
            return Ok(done);
        }
        if tries.after_failure().is_none() {
            return no(TOO_MANY_OTHERS);
        }
    }
}

/// Puts the content of an earlier version in force, as a new one.
pub async fn roll_back(
    context: &PromotionContext,
    version: i64,
    by: &str,
    reason: &str,
) -> Result<PromotionResult, PromotionRefusal> {
    let mut conn = context.db.conn().await?;
    let mut tries = PUBLISH_RETRIES.begin();
    loop {
        let active = repo::active(&mut conn, &context.db.schemas).await?;
        if version < 1 || version >= active || version < active - MAX_KEPT_SETS {
            return no(format!(
                "set {version} can't be had back: {} to {} can",
                (active - MAX_KEPT_SETS).max(1),
                active - 1
            ));
        }
        let Some(old) = repo::read(&mut conn, &context.db.schemas, version).await? else {
            return no(format!("set {version} holds nothing"));
        };
        let next = promotion_rules::taken_back(old, &in_force(context, &mut conn).await?, now_us());
        let publication = Publication {
            next,
            by,
            reason,
            content_of: Some(version),
            settles: None,
        };
        if let Some(done) = publish_next(context, &mut conn, publication).await? {
            return Ok(done);
        }
        if tries.after_failure().is_none() {
            return no(TOO_MANY_OTHERS);
        }
    }
}
