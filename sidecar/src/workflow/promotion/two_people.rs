//! Disarming that takes two people: proposed by one, approved by another under the hash of
//! its content, in the same table and within the same hour as a promotion.

use crate::leader::guard_db::GuardDb;
use crate::verdicts::cut;
use crate::workflow::promotion::approve::approved;
use crate::workflow::promotion::proposals_repo;
use crate::workflow::promotion::request::{PromotionRefusal, PromotionResult, no};
use crate::workflow::promotion_rules::{PROPOSAL_LIFETIME_US, PromotionProposal};
use crate::workflow::repo::MAX_REASON_CHARS;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sluice_contract::clock::now_us;
use sluice_contract::string_enum;

string_enum! {
    /// A step that disarms, other than taking a rule out of the set.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum DisarmingStep("a step that disarms") {
        /// Reset of a breaker that stops everybody.
        Reset = "reset",
        /// Reset of many breakers.
        ResetMany = "resets",
        Suppress = "suppress",
        RollBack = "rollback",
        Demote = "demote",
    }
}

/// A wish of one person that takes a second one.
#[derive(Debug)]
pub struct Disarming<'a> {
    pub step: DisarmingStep,
    /// At most 96 ASCII characters, one proposal each.
    pub subject: &'a str,
    pub content: Value,
    pub by: &'a str,
    pub reason: &'a str,
}

/// Stores it for a second person.
pub async fn propose(
    db: &GuardDb,
    wanted: Disarming<'_>,
) -> Result<PromotionResult, PromotionRefusal> {
    let now_us = now_us();
    let mut proposal = PromotionProposal {
        rule: wanted.subject.to_owned(),
        rule_hash: String::new(),
        step: wanted.step.as_str().to_owned(),
        content: Some(wanted.content),
        proposed_by: wanted.by.to_owned(),
        reason: cut(wanted.reason, MAX_REASON_CHARS),
        created_us: now_us,
        expires_us: now_us + PROPOSAL_LIFETIME_US,
    };
    proposal.rule_hash = hash_of(&proposal);
    let mut conn = db.conn().await?;
    proposals_repo::propose(&mut conn, &db.schemas, &proposal).await?;
    let (subject, by, reason) = (wanted.subject, wanted.by, wanted.reason);
    tracing::warn!(subject, step = proposal.step, by, reason, "proposed");
    Ok(PromotionResult::Proposed {
        step: proposal.step,
        rule_hash: proposal.rule_hash,
        expires_us: proposal.expires_us,
    })
}

/// Reads what a second person approves; it is not carried out yet.
///
/// # Errors
/// Nothing of the kind is proposed, another thing is, by the same person, or the row was
/// changed since.
pub async fn take(
    db: &GuardDb,
    subject: &str,
    (step, hash): (&str, &str),
    by: &str,
) -> Result<PromotionProposal, PromotionRefusal> {
    let proposal = approved(db, subject, step, hash, by).await?;
    if hash_of(&proposal) != proposal.rule_hash {
        return no(format!(
            "what is proposed for {subject} was changed since it was proposed: propose it again"
        ));
    }
    Ok(proposal)
}

/// Forgets a proposal that was carried out.
pub async fn settle(db: &GuardDb, subject: &str) -> mysql_async::Result<()> {
    let mut conn = db.conn().await?;
    proposals_repo::forget_proposal(&mut conn, &db.schemas, subject).await
}

/// 16 hex digits over all of it, as it is stored.
fn hash_of(proposal: &PromotionProposal) -> String {
    let (step, subject, reason) = (&proposal.step, &proposal.rule, &proposal.reason);
    let content = proposal.content.clone().unwrap_or_default();
    let text = format!("{step}\n{subject}\n{content}\n{reason}");
    hex::encode(&Sha256::digest(text)[..8])
}
