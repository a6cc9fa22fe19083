//! Approval by a second person.

use crate::leader::guard_db::GuardDb;
use crate::workflow::promotion::carry_out::carry_out;
use crate::workflow::promotion::context::PromotionContext;
use crate::workflow::promotion::proposals_repo;
use crate::workflow::promotion::request::{
    PromotionRefusal, PromotionRequest, PromotionResult, no,
};
use crate::workflow::promotion_rules::{PromotionProposal, PromotionStep};
use sluice_contract::clock::now_us;

/// Carries out what is proposed, on a second person's word.
///
/// # Errors
/// Nothing of the kind is proposed, or `carry_out` refuses.
pub async fn approve(
    context: &PromotionContext,
    rule: &str,
    step: &str,
    hash: &str,
    by: &str,
) -> Result<PromotionResult, PromotionRefusal> {
    let proposal = approved(&context.db, rule, step, hash, by).await?;
    let step = match crate::workflow::mode_of(&proposal.step) {
        Some(mode) => PromotionStep::Promote(mode),
        None if proposal.step == PromotionStep::Retire.as_str() => PromotionStep::Retire,
        None => {
            return no(format!(
                "{} is approved by POST /proposals/approve",
                proposal.step
            ));
        }
    };
    let wish = PromotionRequest {
        rule,
        step,
        hash,
        by,
        reason: &proposal.reason,
        proposed_by: Some(&proposal.proposed_by),
    };
    carry_out(context, &wish).await
}

/// Finds what is proposed for `rule`, if it is what the second person looked at.
///
/// # Errors
/// Nothing of the kind is proposed, another thing is, or by the same person.
pub(super) async fn approved(
    db: &GuardDb,
    rule: &str,
    step: &str,
    hash: &str,
    by: &str,
) -> Result<PromotionProposal, PromotionRefusal> {
    let mut conn = db.conn().await?;
    let proposals = proposals_repo::proposals(&mut conn, &db.schemas, now_us()).await?;
    drop(conn);
    let Some(proposal) = proposals.into_iter().find(|p| p.rule == rule) else {
        return no(format!(
            "nothing is proposed for {rule}, or its hour has passed: propose it again"
        ));
    };
    if proposal.proposed_by == by {
        return no(format!("{by} proposed it: a second person must approve"));
    }
    if proposal.rule_hash != hash {
        return no(format!(
            "proposed is the version {}, not {hash}: look at it again",
            proposal.rule_hash
        ));
    }
    // Another proposal may have taken its place since the second person looked.
    if proposal.step != step {
        let (what, who) = (&proposal.step, &proposal.proposed_by);
        return no(format!(
            "proposed by {who} is {what}, not {step}: look at it again"
        ));
    }
    Ok(proposal)
}
