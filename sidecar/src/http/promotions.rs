//! Changes of the rule set over HTTP: promotion, approval, demotion, retirement, rollback.

use crate::http::answers::{answer, failed, parse, refuse, refuse_with, unwrap_response};
use crate::http::proposals;
use crate::http::state::{HttpState, OperatorAuth};
use crate::rules::RuleMode;
use crate::workflow::mode_of;
use crate::workflow::operators::TOKEN_SETUP_HINT;
use crate::workflow::promotion::{
    self, Demotion, MAX_EMERGENCY_MINUTES, PromotionContext, PromotionRefusal, PromotionRequest,
    PromotionResult,
};
use crate::workflow::promotion_rules::PromotionStep;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use serde::Deserialize;
use serde_json::json;
use sluice_contract::wire::ApiCode;

pub(super) fn router() -> Router<HttpState> {
    Router::new()
        .route("/rules/rollback", post(rollback))
        .route("/rules/{id}/promote", post(promote))
        .route("/rules/{id}/approve", post(approve))
        .route("/rules/{id}/demote", post(demote))
        .route("/rules/{id}/retire", post(retire))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleStepBody {
    reason: String,
    to: Option<String>,
    hash: Option<String>,
    by: Option<String>,
    /// Of a demotion by one person: after so many minutes it is armed again.
    minutes: Option<i64>,
}

async fn promote(
    State(context): State<PromotionContext>,
    State(auth): State<OperatorAuth>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let promoted = async {
        let asked: RuleStepBody = parse(&body)?;
        let by = auth.actor(&headers, asked.by.as_deref())?;
        let to = asked.to.as_deref().and_then(mode_of);
        let (Some(to), Some(hash)) = (to, asked.hash.as_deref()) else {
            let next = "send to (shadow, alert or trip) and hash, as GET /rules shows it";
            return Err(Box::new(refuse(ApiCode::BadField, next)));
        };
        let step = PromotionStep::Promote(to);
        if to == RuleMode::Trip && !auth.is_person(&headers) {
            return Ok(promotion_response(Err(PromotionRefusal::Reasons(vec![
                format!("trip needs two people with tokens of their own: {TOKEN_SETUP_HINT}"),
            ]))));
        }
        let reason = required_text("reason", &asked.reason)?;
        let wish = PromotionRequest {
            rule: &id,
            step,
            hash,
            by: &by,
            reason,
            proposed_by: None,
        };
        Ok(promotion_response(
            promotion::carry_out(&context, &wish).await,
        ))
    };
    unwrap_response(promoted.await)
}

async fn approve(
    State(context): State<PromotionContext>,
    State(auth): State<OperatorAuth>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct ApprovalBody {
        /// `trip`, `retire` or `demote`, as it was proposed.
        step: String,
        hash: String,
    }
    let approved = async {
        let approval: ApprovalBody = parse(&body)?;
        if !auth.is_person(&headers) {
            auth.actor(&headers, Some("-"))?;
            return Ok(promotion_response(Err(PromotionRefusal::Reasons(vec![
                format!("only a person with a token can approve: {TOKEN_SETUP_HINT}"),
            ]))));
        }
        let by = auth.actor(&headers, None)?;
        proposals::carry_out(&context, &id, (&approval.step, &approval.hash), &by).await
    };
    unwrap_response(approved.await)
}

async fn demote(
    State(context): State<PromotionContext>,
    State(auth): State<OperatorAuth>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let demoted = async {
        let asked: RuleStepBody = parse(&body)?;
        let by = auth.actor(&headers, asked.by.as_deref())?;
        let Some(to) = asked.to.as_deref().and_then(mode_of) else {
            return Err(Box::new(refuse(
                ApiCode::BadField,
                "send to: draft, shadow or alert",
            )));
        };
        let lasts = |minutes: &i64| !(1..=MAX_EMERGENCY_MINUTES).contains(minutes);
        if asked.minutes.as_ref().is_some_and(lasts) {
            let next =
                format!("minutes: 1 to {MAX_EMERGENCY_MINUTES}; for longer it takes two people");
            return Err(Box::new(refuse(ApiCode::BadField, next)));
        }
        let wanted = Demotion {
            rule: &id,
            to,
            by: &by,
            reason: required_text("reason", &asked.reason)?,
            proposed_by: None,
            minutes: asked.minutes,
        };
        Ok(promotion_response(
            promotion::demote(&context, &wanted).await,
        ))
    };
    unwrap_response(demoted.await)
}

async fn retire(
    State(context): State<PromotionContext>,
    State(auth): State<OperatorAuth>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let retired = async {
        let asked: RuleStepBody = parse(&body)?;
        let by = auth.actor(&headers, asked.by.as_deref())?;
        let Some(hash) = asked.hash.as_deref() else {
            return Err(Box::new(refuse(
                ApiCode::BadField,
                "send hash, as GET /rules shows it",
            )));
        };
        let reason = required_text("reason", &asked.reason)?;
        let wish = PromotionRequest {
            rule: &id,
            step: PromotionStep::Retire,
            hash,
            by: &by,
            reason,
            proposed_by: None,
        };
        Ok(promotion_response(
            promotion::carry_out(&context, &wish).await,
        ))
    };
    unwrap_response(retired.await)
}

async fn rollback(
    State(context): State<PromotionContext>,
    State(auth): State<OperatorAuth>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct RollbackBody {
        version: i64,
        reason: String,
        by: Option<String>,
    }
    let back = async {
        let asked: RollbackBody = parse(&body)?;
        let by = auth.actor(&headers, asked.by.as_deref())?;
        Ok(promotion_response(
            promotion::roll_back(
                &context,
                asked.version,
                (&by, required_text("reason", &asked.reason)?),
                None,
            )
            .await,
        ))
    };
    unwrap_response(back.await)
}

pub(super) fn required_text<'a>(field: &str, text: &'a str) -> Result<&'a str, Box<Response>> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Box::new(refuse(
            ApiCode::BadField,
            format!("{field} must say something: it is written down"),
        )));
    }
    Ok(text)
}

pub(super) fn promotion_response(done: Result<PromotionResult, PromotionRefusal>) -> Response {
    match done {
        Ok(done) => answer(done),
        Err(PromotionRefusal::Reasons(reasons)) => refuse_with(
            ApiCode::RuleRefused,
            reasons.join("; "),
            json!({ "reasons": reasons }),
        ),
        Err(PromotionRefusal::Failed(error)) => failed(&error),
    }
}
