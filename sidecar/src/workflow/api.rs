//! What people ask of rule sets, over HTTP.

use super::act::{self, Done, Refusal, Wish};
use super::people::{SET_UP, Who, who};
use super::step::{RATE_PER_HOUR, Step};
use super::{HOUR_US, KEPT_SETS, Set, mode_of, repo, suppress_api};
use crate::Parts;
use crate::admin::{Shared, answer, failed, refuse, refuse_with};
use crate::rules::{Mode, parse_header};
use crate::verdicts::cut;
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
const BY: usize = 64;

pub fn router() -> Router<Shared> {
    Router::new()
        .route("/rules", get(list))
        .route("/rules/sets", get(sets))
        .route("/rules/rollback", post(rollback))
        .route("/rules/{id}/promote", post(promote))
        .route("/rules/{id}/approve", post(approve))
        .route("/rules/{id}/demote", post(demote))
        .route("/rules/{id}/retire", post(retire))
        .merge(suppress_api::router())
}

/// Who acts. A person by their own token; the holder of `sidecar_token`, under the
/// name that is given, while nobody has one and only for what one person may do.
pub(super) fn actor(
    parts: &Parts,
    headers: &HeaderMap,
    by: Option<&str>,
) -> Result<String, Box<Response>> {
    match who(
        parts.config.secrets_dir.as_deref(),
        &parts.secrets.sidecar_token,
        headers,
    ) {
        Who::Person(name) => Ok(name),
        Who::Operator => match by.map(str::trim).filter(|by| !by.is_empty()) {
            Some(by) => Ok(cut(by, BY)),
            None => Err(Box::new(refuse(
                ApiCode::BadField,
                format!("by must name you: no person has a token; {SET_UP}"),
            ))),
        },
        Who::Nobody(why) => Err(Box::new(refuse(ApiCode::Unauthorized, why))),
    }
}

fn is_person(parts: &Parts, headers: &HeaderMap) -> bool {
    let who = who(
        parts.config.secrets_dir.as_deref(),
        &parts.secrets.sidecar_token,
        headers,
    );
    matches!(who, Who::Person(_))
}

pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Box<Response>> {
    serde_json::from_slice(body)
        .map_err(|error| Box::new(refuse(ApiCode::BadJson, error.to_string())))
}

fn said<'a>(field: &str, text: &'a str) -> Result<&'a str, Box<Response>> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Box::new(refuse(
            ApiCode::BadField,
            format!("{field} must say something: it is written down"),
        )));
    }
    Ok(text)
}

fn told(done: Result<Done, Refusal>) -> Response {
    match done {
        Ok(done) => answer(done),
        Err(Refusal::Reasons(reasons)) => refuse_with(
            ApiCode::RuleRefused,
            reasons.join("; "),
            json!({ "reasons": reasons }),
        ),
        Err(Refusal::Failed(error)) => failed(&error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    reason: String,
    to: Option<String>,
    hash: Option<String>,
    by: Option<String>,
}

/// Either way a response.
pub(super) type Answered = Result<Response, Box<Response>>;

pub(super) fn flat(answered: Answered) -> Response {
    answered.unwrap_or_else(|refused| *refused)
}

async fn promote(
    State(parts): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let promoted = async {
        let asked: Asked = parse(&body)?;
        let by = actor(&parts, &headers, asked.by.as_deref())?;
        let to = asked.to.as_deref().and_then(mode_of);
        let (Some(to), Some(hash)) = (to, asked.hash.as_deref()) else {
            let next = "send to (shadow, alert or trip) and hash, as GET /rules shows it";
            return Err(Box::new(refuse(ApiCode::BadField, next)));
        };
        let step = Step::Promote(to);
        if to == Mode::Trip && !is_person(&parts, &headers) {
            return Ok(told(Err(Refusal::Reasons(vec![format!(
                "trip needs two people with tokens of their own: {SET_UP}"
            )]))));
        }
        let reason = said("reason", &asked.reason)?;
        let wish = Wish {
            rule: &id,
            step,
            hash,
            by: &by,
            reason,
            proposed_by: None,
        };
        Ok(told(act::carry_out(&parts, &wish).await))
    };
    flat(promoted.await)
}

async fn approve(
    State(parts): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Approval {
        /// `trip` or `retire`, as it was proposed.
        step: String,
        hash: String,
    }
    let approved = async {
        let approval: Approval = parse(&body)?;
        if !is_person(&parts, &headers) {
            actor(&parts, &headers, Some("-"))?;
            return Ok(told(Err(Refusal::Reasons(vec![format!(
                "only a person with a token can approve: {SET_UP}"
            )]))));
        }
        let by = actor(&parts, &headers, None)?;
        Ok(told(
            act::approve(&parts, &id, &approval.step, &approval.hash, &by).await,
        ))
    };
    flat(approved.await)
}

async fn demote(
    State(parts): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let demoted = async {
        let asked: Asked = parse(&body)?;
        let by = actor(&parts, &headers, asked.by.as_deref())?;
        let Some(to) = asked.to.as_deref().and_then(mode_of) else {
            return Err(Box::new(refuse(
                ApiCode::BadField,
                "send to: draft, shadow or alert",
            )));
        };
        Ok(told(
            act::demote(&parts, &id, to, &by, said("reason", &asked.reason)?).await,
        ))
    };
    flat(demoted.await)
}

async fn retire(
    State(parts): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let retired = async {
        let asked: Asked = parse(&body)?;
        let by = actor(&parts, &headers, asked.by.as_deref())?;
        let Some(hash) = asked.hash.as_deref() else {
            return Err(Box::new(refuse(
                ApiCode::BadField,
                "send hash, as GET /rules shows it",
            )));
        };
        let reason = said("reason", &asked.reason)?;
        let wish = Wish {
            rule: &id,
            step: Step::Retire,
            hash,
            by: &by,
            reason,
            proposed_by: None,
        };
        Ok(told(act::carry_out(&parts, &wish).await))
    };
    flat(retired.await)
}

async fn rollback(State(parts): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Back {
        version: i64,
        reason: String,
        by: Option<String>,
    }
    let back = async {
        let asked: Back = parse(&body)?;
        let by = actor(&parts, &headers, asked.by.as_deref())?;
        Ok(told(
            act::roll_back(&parts, asked.version, &by, said("reason", &asked.reason)?).await,
        ))
    };
    flat(back.await)
}

async fn sets(State(parts): State<Shared>) -> Response {
    let listed = async {
        let mut conn = parts.pool.get_conn().await?;
        anyhow::Ok(repo::heads(&mut conn, &parts.schemas, KEPT_SETS + 1).await?)
    };
    listed.await.map_or_else(|error| failed(&error), answer)
}

/// What is loaded here, with what each version found within the hour.
async fn list(State(parts): State<Shared>) -> Response {
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
    parts: &Parts,
    set: &Set,
    seen: &std::collections::HashMap<(String, String), super::step::Seen>,
) -> anyhow::Result<Vec<Value>> {
    let mut rows = Vec::new();
    let loaded = parts.rules.borrow().clone();
    for member in &set.members {
        // What it compares lies on servers that this sidecar doesn't read together.
        let asleep = member.mode != Mode::Draft
            && loaded
                .iter()
                .flat_map(|set| set.rules())
                .any(|h| h.id == member.rule && h.mode == Mode::Draft);
        let hash = &member.text.rule_hash;
        let seen = seen
            .get(&(member.rule.clone(), hash.clone()))
            .copied()
            .unwrap_or_default();
        let header = parse_header(&member.rule, &member.text.body).ok();
        let rate = header
            .as_ref()
            .and_then(|h| h.rate_per_hour)
            .unwrap_or(RATE_PER_HOUR);
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
