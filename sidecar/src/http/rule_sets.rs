//! What people ask of rule sets, over HTTP.

use crate::context::SidecarContext;
use crate::http::{HttpState, answer, failed, refuse, refuse_with, suppressions};
use crate::rules::{RuleMode, parse_header};
use crate::verdicts::cut;
use crate::workflow::operators::{RequestActor, TOKEN_SETUP_HINT, identify_actor};
use crate::workflow::promotion::{self, PromotionRefusal, PromotionRequest, PromotionResult};
use crate::workflow::promotion_rules::{DEFAULT_RATE_PER_HOUR, PromotionStep};
use crate::workflow::{HOUR_US, MAX_KEPT_SETS, RuleSetVersion, mode_of, repo};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sluice_contract::clock::now_us;
use sluice_contract::wire::ApiCode;

/// Width of names.
const MAX_NAME_CHARS: usize = 64;

pub fn router() -> Router<HttpState> {
    Router::new()
        .route("/rules", get(list))
        .route("/rules/sets", get(sets))
        .route("/rules/rollback", post(rollback))
        .route("/rules/{id}/promote", post(promote))
        .route("/rules/{id}/approve", post(approve))
        .route("/rules/{id}/demote", post(demote))
        .route("/rules/{id}/retire", post(retire))
        .merge(suppressions::router())
}

/// Who acts. A person by their own token; the holder of `sidecar_token`, under the
/// name that is given, while nobody has one and only for what one person may do.
pub(super) fn actor(
    parts: &SidecarContext,
    headers: &HeaderMap,
    by: Option<&str>,
) -> Result<String, Box<Response>> {
    match identify_actor(
        parts.config.secrets_dir.as_deref(),
        &parts.secrets.sidecar_token,
        headers,
    ) {
        RequestActor::Person(name) => Ok(name),
        RequestActor::Operator => match by.map(str::trim).filter(|by| !by.is_empty()) {
            Some(by) => Ok(cut(by, MAX_NAME_CHARS)),
            None => Err(Box::new(refuse(
                ApiCode::BadField,
                format!("by must name you: no person has a token; {TOKEN_SETUP_HINT}"),
            ))),
        },
        RequestActor::Nobody(why) => Err(Box::new(refuse(ApiCode::Unauthorized, why))),
    }
}

fn is_person(parts: &SidecarContext, headers: &HeaderMap) -> bool {
    let who = identify_actor(
        parts.config.secrets_dir.as_deref(),
        &parts.secrets.sidecar_token,
        headers,
    );
    matches!(who, RequestActor::Person(_))
}

pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Box<Response>> {
    serde_json::from_slice(body)
        .map_err(|error| Box::new(refuse(ApiCode::BadJson, error.to_string())))
}

fn required_text<'a>(field: &str, text: &'a str) -> Result<&'a str, Box<Response>> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Box::new(refuse(
            ApiCode::BadField,
            format!("{field} must say something: it is written down"),
        )));
    }
    Ok(text)
}

fn promotion_response(done: Result<PromotionResult, PromotionRefusal>) -> Response {
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleStepBody {
    reason: String,
    to: Option<String>,
    hash: Option<String>,
    by: Option<String>,
}

/// Either way a response.
pub(super) type HandlerResult = Result<Response, Box<Response>>;

pub(super) fn unwrap_response(answered: HandlerResult) -> Response {
    answered.unwrap_or_else(|refused| *refused)
}

async fn promote(
    State(parts): State<HttpState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let promoted = async {
        let asked: RuleStepBody = parse(&body)?;
        let by = actor(&parts, &headers, asked.by.as_deref())?;
        let to = asked.to.as_deref().and_then(mode_of);
        let (Some(to), Some(hash)) = (to, asked.hash.as_deref()) else {
            let next = "send to (shadow, alert or trip) and hash, as GET /rules shows it";
            return Err(Box::new(refuse(ApiCode::BadField, next)));
        };
        let step = PromotionStep::Promote(to);
        if to == RuleMode::Trip && !is_person(&parts, &headers) {
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
            promotion::carry_out(&parts, &wish).await,
        ))
    };
    unwrap_response(promoted.await)
}

async fn approve(
    State(parts): State<HttpState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct ApprovalBody {
        /// `trip` or `retire`, as it was proposed.
        step: String,
        hash: String,
    }
    let approved = async {
        let approval: ApprovalBody = parse(&body)?;
        if !is_person(&parts, &headers) {
            actor(&parts, &headers, Some("-"))?;
            return Ok(promotion_response(Err(PromotionRefusal::Reasons(vec![
                format!("only a person with a token can approve: {TOKEN_SETUP_HINT}"),
            ]))));
        }
        let by = actor(&parts, &headers, None)?;
        Ok(promotion_response(
            promotion::approve(&parts, &id, &approval.step, &approval.hash, &by).await,
        ))
    };
    unwrap_response(approved.await)
}

async fn demote(
    State(parts): State<HttpState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let demoted = async {
        let asked: RuleStepBody = parse(&body)?;
        let by = actor(&parts, &headers, asked.by.as_deref())?;
        let Some(to) = asked.to.as_deref().and_then(mode_of) else {
            return Err(Box::new(refuse(
                ApiCode::BadField,
                "send to: draft, shadow or alert",
            )));
        };
        Ok(promotion_response(
            promotion::demote(
                &parts,
                &id,
                to,
                &by,
                required_text("reason", &asked.reason)?,
            )
            .await,
        ))
    };
    unwrap_response(demoted.await)
}

async fn retire(
    State(parts): State<HttpState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let retired = async {
        let asked: RuleStepBody = parse(&body)?;
        let by = actor(&parts, &headers, asked.by.as_deref())?;
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
            promotion::carry_out(&parts, &wish).await,
        ))
    };
    unwrap_response(retired.await)
}

async fn rollback(State(parts): State<HttpState>, headers: HeaderMap, body: Bytes) -> Response {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct RollbackBody {
        version: i64,
        reason: String,
        by: Option<String>,
    }
    let back = async {
        let asked: RollbackBody = parse(&body)?;
        let by = actor(&parts, &headers, asked.by.as_deref())?;
        Ok(promotion_response(
            promotion::roll_back(
                &parts,
                asked.version,
                &by,
                required_text("reason", &asked.reason)?,
            )
            .await,
        ))
    };
    unwrap_response(back.await)
}

async fn sets(State(parts): State<HttpState>) -> Response {
    let listed = async {
        let mut conn = parts.pool.get_conn().await?;
        anyhow::Ok(repo::heads(&mut conn, &parts.schemas, MAX_KEPT_SETS + 1).await?)
    };
    listed.await.map_or_else(|error| failed(&error), answer)
}

/// What is loaded here, with what each version found within the hour.
async fn list(State(parts): State<HttpState>) -> Response {
    let loaded = parts
        .rules
        .borrow()
        .as_ref()
        .map(|r| (r.version(), r.hash().to_owned()));
    let listed = async {
        let mut conn = parts.pool.get_conn().await?;
        let now = now_us();
        let version = repo::active(&mut conn, &parts.schemas).await?;
        let set = repo::read(&mut conn, &parts.schemas, version)
            .await?
            .unwrap_or_default();
        let seen = repo::seen(&mut conn, &parts.schemas, now - HOUR_US).await?;
        let proposals = repo::proposals(&mut conn, &parts.schemas, now).await?;
        // Cases may run for a while: the connection is for those who commit.
        drop(conn);
        let note = parts.status.read();
        anyhow::Ok(json!({
            "hash": loaded.as_ref().map(|(_, hash)| hash),
            "version": loaded.as_ref().map(|(version, _)| version),
            "inForce": version,
            "refused": note.rules_refused,
            "rules": rows(&parts, &set, &seen).await?,
            "proposals": proposals,
        }))
    };
    listed.await.map_or_else(|error| failed(&error), answer)
}

async fn rows(
    parts: &SidecarContext,
    set: &RuleSetVersion,
    seen: &std::collections::HashMap<
        (String, String),
        crate::workflow::promotion_rules::RuleActivity,
    >,
) -> anyhow::Result<Vec<Value>> {
    let mut rows = Vec::new();
    let loaded = parts.rules.borrow().clone();
    for member in &set.members {
        // What it compares lies on servers that this sidecar doesn't read together.
        let asleep = member.mode != RuleMode::Draft
            && loaded
                .iter()
                .flat_map(|set| set.rules())
                .any(|h| h.id == member.rule && h.mode == RuleMode::Draft);
        let hash = &member.text.rule_hash;
        let seen = seen
            .get(&(member.rule.clone(), hash.clone()))
            .copied()
            .unwrap_or_default();
        let header = parse_header(&member.rule, &member.text.body).ok();
        let rate = header
            .as_ref()
            .and_then(|h| h.rate_per_hour)
            .unwrap_or(DEFAULT_RATE_PER_HOUR);
        rows.push(json!({
            "id": member.rule,
            "hash": hash,
            "mode": member.mode.as_str(),
            "asleep": asleep,
            "candidate": member.candidate,
            "demoted": member.demoted,
            "sinceUs": member.since_us,
            "findings": seen.findings,
            "errors": seen.errors,
            "ratePerHour": rate,
            "untested": *parts.tested.untested(member).await?,
            "guards": header.map(|h| h.guards),
        }));
    }
    Ok(rows)
}
