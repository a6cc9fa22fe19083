//! Proposals over HTTP: everything that waits for a second person, and that person's yes.

use crate::http::answers::{HandlerResult, answer, failed, parse, unwrap_response};
use crate::http::promotions::promotion_response;
use crate::http::resets::{self, BulkResetBody};
use crate::http::state::{HttpState, OperatorAuth};
use crate::http::suppressions;
use crate::leader::guard_db::GuardDb;
use crate::verdicts::cut;
use crate::workflow::mode_of;
use crate::workflow::promotion::two_people::{self, DisarmingStep};
use crate::workflow::promotion::{
    self, Demotion, PromotionContext, PromotionRefusal, proposals_repo,
};
use crate::workflow::promotion_rules::PromotionProposal;
use crate::workflow::repo::MAX_REASON_CHARS;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sluice_contract::clock::now_us;

pub(super) fn router() -> Router<HttpState> {
    Router::new()
        .route("/proposals", get(list))
        .route("/proposals/approve", post(approve))
}

async fn list(State(db): State<GuardDb>) -> Response {
    let listed = async {
        let mut conn = db.conn().await?;
        anyhow::Ok(proposals_repo::proposals(&mut conn, &db.schemas, now_us()).await?)
    };
    listed.await.map_or_else(|error| failed(&error), answer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApprovalBody {
    /// `rule` of the proposal: the rule, the breaker, the set or the suppression.
    subject: String,
    step: String,
    hash: String,
}

async fn approve(
    State(context): State<PromotionContext>,
    State(auth): State<OperatorAuth>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let approved = async {
        let approval: ApprovalBody = parse(&body)?;
        let by = auth.second_person(&headers)?;
        carry_out(
            &context,
            &approval.subject,
            (&approval.step, &approval.hash),
            &by,
        )
        .await
    };
    unwrap_response(approved.await)
}

/// Carries out what is proposed for `subject`, on a second person's word.
pub(super) async fn carry_out(
    context: &PromotionContext,
    subject: &str,
    (step, hash): (&str, &str),
    by: &str,
) -> HandlerResult {
    let Ok(disarming) = step.parse::<DisarmingStep>() else {
        let done = promotion::approve(context, subject, step, hash, by).await;
        return Ok(promotion_response(done));
    };
    let proposal = match two_people::take(&context.db, subject, (step, hash), by).await {
        Ok(proposal) => proposal,
        Err(refusal) => return Ok(promotion_response(Err(refusal))),
    };
    let done = disarm(context, disarming, &proposal, by).await?;
    if done.status().is_success() {
        let settled = two_people::settle(&context.db, subject).await;
        settled.map_err(|error| Box::new(failed(&error.into())))?;
    }
    Ok(done)
}

async fn disarm(
    context: &PromotionContext,
    step: DisarmingStep,
    proposal: &PromotionProposal,
    by: &str,
) -> HandlerResult {
    let (db, first) = (&context.db, proposal.proposed_by.as_str());
    let reason = cut(
        &format!("{}; proposed by {first}", proposal.reason),
        MAX_REASON_CHARS,
    );
    match step {
        DisarmingStep::Reset => {
            let mut wanted: crate::workflow::resets::BreakerReset = content(proposal)?;
            is_of(proposal, &wanted.key.to_string())?;
            wanted.reason = reason;
            resets::carry_out(db, &wanted, by).await
        }
        DisarmingStep::ResetMany => {
            let asked: BulkResetBody = content(proposal)?;
            is_of(proposal, &asked.subject())?;
            resets::carry_out_many(db, &asked, (by, &reason)).await
        }
        DisarmingStep::Suppress => {
            let mut made: crate::workflow::suppressions::Suppression = content(proposal)?;
            is_of(proposal, &made.id)?;
            made.reason = cut(
                &format!("{}; approved by {by}", proposal.reason),
                MAX_REASON_CHARS,
            );
            suppressions::store(db, made).await
        }
        DisarmingStep::RollBack => {
            let version = proposal
                .content
                .as_ref()
                .and_then(|c| c["version"].as_i64())
                .unwrap_or_default();
            is_of(proposal, &format!("set {version}"))?;
            let why = (by, proposal.reason.as_str());
            let done = promotion::roll_back(context, version, why, Some(first)).await;
            Ok(promotion_response(done))
        }
        DisarmingStep::Demote => {
            let to = proposal.content.as_ref().and_then(|c| c["to"].as_str());
            let Some(to) = to.and_then(mode_of) else {
                return Ok(promotion_response(unreadable()));
            };
            let wanted = Demotion {
                rule: &proposal.rule,
                to,
                by,
                reason: &proposal.reason,
                proposed_by: Some(first),
                minutes: None,
            };
            Ok(promotion_response(
                promotion::demote(context, &wanted).await,
            ))
        }
    }
}

fn content<T: DeserializeOwned>(proposal: &PromotionProposal) -> Result<T, Box<Response>> {
    let content = proposal.content.clone().unwrap_or(Value::Null);
    serde_json::from_value(content).map_err(|_| Box::new(promotion_response(unreadable())))
}

/// Checks that the content is of what the second person named.
fn is_of(proposal: &PromotionProposal, subject: &str) -> Result<(), Box<Response>> {
    if proposal.rule == subject {
        return Ok(());
    }
    let why = format!(
        "proposed for {} is a {} of {subject}: propose it again",
        proposal.rule, proposal.step
    );
    let refusal = PromotionRefusal::Reasons(vec![why]);
    Err(Box::new(promotion_response(Err(refusal))))
}

/// Another version of the sidecar wrote it.
fn unreadable<T>() -> Result<T, PromotionRefusal> {
    Err(PromotionRefusal::Reasons(vec![
        "what is proposed can't be read here: propose it again".to_owned(),
    ]))
}
