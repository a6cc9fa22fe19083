//! Steps up and out of the set: promote, retire, propose.

use crate::rules::{RuleMode, parse_header};
use crate::workflow::promotion::activity_repo;
use crate::workflow::promotion::context::PromotionContext;
use crate::workflow::promotion::proposals_repo;
use crate::workflow::promotion::publish::{
    PUBLISH_RETRIES, Publication, TOO_MANY_OTHERS, before_emergencies, in_force, publish_next,
};
use crate::workflow::promotion::request::{
    PromotionRefusal, PromotionRequest, PromotionResult, no,
};
use crate::workflow::promotion_rules::{self, PromotionEvidence, PromotionProposal, PromotionStep};
use crate::workflow::trials::{self, RuleTrial};
use crate::workflow::{HOUR_US, RuleSetVersion, repo};
use mysql_async::Conn;
use sluice_contract::clock::now_us;

/// Promotes or retires; proposes, if it takes two.
pub async fn carry_out(
    context: &PromotionContext,
    wish: &PromotionRequest<'_>,
) -> Result<PromotionResult, PromotionRefusal> {
    let mut conn = context.db.conn().await?;
    let mut tries = PUBLISH_RETRIES.begin();
    loop {
        let set = in_force(context, &mut conn).await?;
        let now = now_us();
        let next = match wish.step {
            PromotionStep::Promote(to) => promoted(context, &mut conn, &set, wish, to, now).await?,
            PromotionStep::Retire => retired(&set, wish)?,
        };
        let (armed, running) = before_emergencies(context, &mut conn, &set).await?;
        if promotion_rules::needs_two(&armed, wish.rule, wish.step) && wish.proposed_by.is_none() {
            return propose(context, &mut conn, &set, wish, now).await;
        }
        let emergency = running.iter().find(|one| one.subject == wish.rule);
        if let (Some(emergency), None) = (emergency, wish.proposed_by) {
            let (rule, by) = (wish.rule, &emergency.made_by);
            return no(format!(
                "{by} has disarmed {rule} for a while: arm it, or retire it, by two people"
            ));
        }
        let reason = reason_of(wish);
        let publication = Publication {
            next,
            by: wish.by,
            reason: &reason,
            content_of: None,
            settles: Some(wish.rule),
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

/// Reason of the set that the step makes.
fn reason_of(wish: &PromotionRequest<'_>) -> String {
    let (step, rule, reason) = (wish.step.as_str(), wish.rule, wish.reason);
    match wish.proposed_by {
        Some(first) => format!("{step} {rule}, proposed by {first}: {reason}"),
        None => format!("{step} {rule}: {reason}"),
    }
}

async fn promoted(
    context: &PromotionContext,
    conn: &mut Conn,
    set: &RuleSetVersion,
    wish: &PromotionRequest<'_>,
    to: RuleMode,
    now_us: i64,
) -> Result<RuleSetVersion, PromotionRefusal> {
    let Some(subject) = promotion_rules::subject(set, wish.rule) else {
        return no(format!(
            "there is no rule {} in set {}",
            wish.rule, set.version
        ));
    };
    let header = parse_header(wish.rule, &subject.text.body)
        .map_err(|e| PromotionRefusal::Reasons(vec![e]))?;
    let seen = activity_repo::seen(conn, &context.db.schemas, now_us - HOUR_US).await?;
    let seen = seen
        .get(&(wish.rule.to_owned(), subject.text.rule_hash.clone()))
        .copied()
        .unwrap_or_default();
    let trials = trials::repo::trials(conn, &context.db.schemas).await?;
    let version = |t: &&RuleTrial| t.rule == wish.rule && t.rule_hash == subject.text.rule_hash;
    let untested = context.tested.untested(subject).await?;
    let known = PromotionEvidence {
        header: &header,
        seen,
        untested: &untested,
        trial: trials.iter().find(version),
        soak_us: context.soak_us,
    };
    promotion_rules::promote(set, wish.rule, wish.hash, to, &known, now_us)
        .map_err(PromotionRefusal::Reasons)
}

fn retired(
    set: &RuleSetVersion,
    wish: &PromotionRequest<'_>,
) -> Result<RuleSetVersion, PromotionRefusal> {
    let hash = promotion_rules::subject(set, wish.rule).map(|m| m.text.rule_hash.as_str());
    match hash {
        Some(hash) if hash != wish.hash => no(format!(
            "the version in the set has the hash {hash}, not {}: look at it again",
            wish.hash
        )),
        _ => promotion_rules::retire(set, wish.rule).map_err(PromotionRefusal::Reasons),
    }
}

async fn propose(
    context: &PromotionContext,
    conn: &mut Conn,
    set: &RuleSetVersion,
    wish: &PromotionRequest<'_>,
    now_us: i64,
) -> Result<PromotionResult, PromotionRefusal> {
    let rule_hash = promotion_rules::subject(set, wish.rule)
        .map(|m| m.text.rule_hash.clone())
        .unwrap_or_default();
    let proposal = PromotionProposal {
        rule: wish.rule.to_owned(),
        rule_hash: rule_hash.clone(),
        step: wish.step.as_str().to_owned(),
        content: None,
        proposed_by: wish.by.to_owned(),
        reason: crate::verdicts::cut(wish.reason, repo::MAX_REASON_CHARS),
        created_us: now_us,
        expires_us: now_us + promotion_rules::PROPOSAL_LIFETIME_US,
    };
    proposals_repo::propose(conn, &context.db.schemas, &proposal).await?;
    tracing::warn!(
        rule = wish.rule,
        step = proposal.step,
        by = wish.by,
        reason = wish.reason,
        "proposed"
    );
    Ok(PromotionResult::Proposed {
        step: proposal.step,
        rule_hash,
        expires_us: proposal.expires_us,
    })
}
