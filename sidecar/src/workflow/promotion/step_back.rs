//! Steps down and back: less is stopped or said. What disarms a critical rule takes two
//! people, or lasts an hour at most.

use crate::rules::RuleMode;
use crate::workflow::promotion::context::PromotionContext;
use crate::workflow::promotion::publish::{
    PUBLISH_RETRIES, Publication, TOO_MANY_OTHERS, before_emergencies, in_force, publish_next,
};
use crate::workflow::promotion::request::{PromotionRefusal, PromotionResult, no};
use crate::workflow::promotion::two_people::{self, Disarming, DisarmingStep};
use crate::workflow::timed::{TimedChange, TimedKind};
use crate::workflow::{MAX_KEPT_SETS, RuleSetVersion, promotion_rules, repo};
use serde_json::json;
use sluice_contract::clock::now_us;

/// Longest time for which one person may disarm a critical rule.
pub const MAX_EMERGENCY_MINUTES: i64 = 60;
const US_PER_MINUTE: i64 = 60_000_000;

/// Demotion of one rule, as a person asks for it.
pub struct Demotion<'a> {
    pub rule: &'a str,
    pub to: RuleMode,
    pub by: &'a str,
    pub reason: &'a str,
    /// First person, who proposed it, if this is the second person.
    pub proposed_by: Option<&'a str>,
    /// Minutes after which the rule is armed again by itself; then one person may.
    pub minutes: Option<i64>,
}

/// Takes a rule down; proposes it, if it takes two.
pub async fn demote(
    context: &PromotionContext,
    wanted: &Demotion<'_>,
) -> Result<PromotionResult, PromotionRefusal> {
    let mut conn = context.db.conn().await?;
    let mut tries = PUBLISH_RETRIES.begin();
    let (rule, to) = (wanted.rule, wanted.to);
    loop {
        let set = in_force(context, &mut conn).await?;
        let next =
            promotion_rules::demote(&set, rule, to, now_us()).map_err(PromotionRefusal::Reasons)?;
        let (armed, running) = before_emergencies(context, &mut conn, &set).await?;
        let alone = wanted.proposed_by.is_none() && wanted.minutes.is_none();
        if alone && !promotion_rules::disarmed(&armed, &next).is_empty() {
            let disarming = Disarming {
                step: DisarmingStep::Demote,
                subject: rule,
                content: json!({ "to": to.as_str() }),
                by: wanted.by,
                reason: wanted.reason,
            };
            return two_people::propose(&context.db, disarming).await;
        }
        let reason = demotion_reason(wanted);
        let publication = Publication {
            next,
            by: wanted.by,
            reason: &reason,
            content_of: None,
            settles: Some(rule),
            timed: timed_return(&set, wanted, &running),
        };
        if let Some(done) = publish_next(context, &mut conn, publication).await? {
            return Ok(done);
        }
        if tries.after_failure().is_none() {
            return no(TOO_MANY_OTHERS);
        }
    }
}

fn demotion_reason(wanted: &Demotion<'_>) -> String {
    let (rule, to, reason) = (wanted.rule, wanted.to.as_str(), wanted.reason);
    match (wanted.proposed_by, wanted.minutes) {
        (Some(first), _) => format!("demote {rule} to {to}, proposed by {first}: {reason}"),
        (None, Some(minutes)) => format!("demote {rule} to {to} for {minutes} min: {reason}"),
        (None, None) => format!("demote {rule} to {to}: {reason}"),
    }
}

/// The row by which an emergency ends. One that runs ends when it would have, and comes back
/// to where it began: otherwise one person could go on step by step.
fn timed_return(
    set: &RuleSetVersion,
    wanted: &Demotion<'_>,
    running: &[TimedChange],
) -> Option<TimedChange> {
    let (minutes, main) = (wanted.minutes?, set.main(wanted.rule)?);
    let begun = running
        .iter()
        .find(|one| one.kind == TimedKind::Mode && one.subject == wanted.rule);
    if let Some(begun) = begun {
        return Some(begun.clone());
    }
    Some(TimedChange {
        kind: TimedKind::Mode,
        subject: wanted.rule.to_owned(),
        version: format!("{} {}", main.mode.as_str(), main.text.rule_hash),
        until_us: now_us() + minutes * US_PER_MINUTE,
        made_by: wanted.by.to_owned(),
        reason: crate::verdicts::cut(wanted.reason, repo::MAX_REASON_CHARS),
    })
}

/// Puts the content of an earlier version in force, as a new one; proposes it, if it disarms
/// a critical rule.
pub async fn roll_back(
    context: &PromotionContext,
    version: i64,
    (by, reason): (&str, &str),
    proposed_by: Option<&str>,
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
        let now = in_force(context, &mut conn).await?;
        let next = promotion_rules::taken_back(old, &now, now_us());
        let (armed, _) = before_emergencies(context, &mut conn, &now).await?;
        let disarmed = promotion_rules::disarmed(&armed, &next);
        if proposed_by.is_none() && !disarmed.is_empty() {
            let disarming = Disarming {
                step: DisarmingStep::RollBack,
                subject: &format!("set {version}"),
                content: json!({ "version": version, "disarms": disarmed }),
                by,
                reason,
            };
            return two_people::propose(&context.db, disarming).await;
        }
        let reason = match proposed_by {
            Some(first) => format!("proposed by {first}: {reason}"),
            None => reason.to_owned(),
        };
        let publication = Publication {
            next,
            by,
            reason: &reason,
            content_of: Some(version),
            settles: None,
            timed: None,
        };
        if let Some(done) = publish_next(context, &mut conn, publication).await? {
            return Ok(done);
        }
        if tries.after_failure().is_none() {
            return no(TOO_MANY_OTHERS);
        }
    }
}
