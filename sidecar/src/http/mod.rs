//! The listener: the fence's stream, breakers by hand, and what operators look at.

pub mod rule_sets;
pub mod suppressions;
pub mod verdict_explanation;

use crate::breakers::{self, BreakerMove, BreakerMoveResult};
use crate::context::SidecarContext;
use crate::verdicts::{cut, repo as verdict_repo};
use crate::workflow::operators::{RequestActor, has_bearer_token, identify_actor};
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sluice_contract::breaker::{BreakerKey, BreakerScope, BreakerState};
use sluice_contract::clock::now_us;
use sluice_contract::sql::{is_disconnect, is_retryable};
use sluice_contract::telemetry::{self, Readiness};
use sluice_contract::wire::{ApiCode, ApiResponse};
use std::sync::Arc;

/// Rows of one answer at most.
const MAX_ROWS_PER_ANSWER: u32 = 1_000;
/// Widths of `reason` and `changed_by`.
const MAX_REASON_CHARS: usize = 400;
const MAX_BY_CHARS: usize = 64;
/// Width of `scope_key`.
const MAX_SCOPE_KEY_CHARS: usize = 32;

pub(crate) type HttpState = Arc<SidecarContext>;

/// Everything that is served.
pub fn router(parts: HttpState, readiness: Readiness) -> Router {
    Router::new()
        .route("/fence/{instance}", get(fence))
        .route("/status", get(status))
        .route("/breakers", get(list_breakers))
        .route("/breakers/{point}/{scope}/{key}/trip", post(trip))
        .route("/breakers/{point}/{scope}/{key}/reset", post(reset))
        .route("/verdicts", get(list_verdicts))
        .route("/audit", get(audit).post(ask_audit))
        .route("/verdicts/{id}", get(one_verdict))
        .merge(crate::http::rule_sets::router())
        .with_state(parts)
        .merge(telemetry::router(readiness))
        .fallback(|| async { refuse(ApiCode::NoSuchPath, "no such path") })
}

pub(crate) fn answer<T: Serialize>(data: T) -> Response {
    Json(ApiResponse {
        code: 0,
        msg: "ok".to_owned(),
        data: Some(data),
    })
    .into_response()
}

pub(crate) fn refuse(code: ApiCode, msg: impl Into<String>) -> Response {
    answered(
        code,
        ApiResponse::<()> {
            code: code as u32,
            msg: msg.into(),
            data: None,
        },
    )
}

/// A refusal with something to read by machine.
pub(crate) fn refuse_with(
    code: ApiCode,
    msg: impl Into<String>,
    data: serde_json::Value,
) -> Response {
    answered(
        code,
        ApiResponse {
            code: code as u32,
            msg: msg.into(),
            data: Some(data),
        },
    )
}

fn answered<T: Serialize>(code: ApiCode, body: ApiResponse<T>) -> Response {
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(body)).into_response()
}

/// The request may be good; we could not do it.
pub(crate) fn failed(error: &anyhow::Error) -> Response {
    match error.downcast_ref::<mysql_async::Error>() {
        Some(error) => unavailable(error),
        None => {
            tracing::error!("an operator's request failed: {error:#}");
            refuse(ApiCode::Internal, format!("{error:#}"))
        }
    }
}

fn unavailable(error: &mysql_async::Error) -> Response {
    if !is_retryable(error)
        && !is_disconnect(error)
        && matches!(error, mysql_async::Error::Server(_))
    {
        tracing::error!(%error, "the database refused what an operator asked");
        return refuse(
            ApiCode::Internal,
            "the database refused it, and will again; the sidecar's log says why",
        );
    }
    tracing::warn!(%error, "the database did not answer an operator");
    refuse(
        ApiCode::Unavailable,
        "the database can't be asked now; try again",
    )
}

async fn fence(
    State(parts): State<HttpState>,
    Path(instance): Path<String>,
    headers: HeaderMap,
) -> Response {
    if !has_bearer_token(&headers, &parts.secrets.sidecar_token) {
        return refuse(
            ApiCode::Unauthorized,
            "send Authorization: Bearer with the sidecar_token",
        );
    }
    if !sluice_contract::ids::is_plain(&instance, sluice_contract::ids::MAX_ID_BYTES) {
        return refuse(
            ApiCode::BadField,
            "instance: 1 to 32 letters, digits and _ - . :",
        );
    }
    parts.fence.stream(instance, parts.cancel.clone())
}

async fn status(State(parts): State<HttpState>) -> Response {
    let note = parts.status.read();
    let lag_us = now_us().saturating_sub(note.heartbeat_us);
    let heard = note.heartbeat_us > 0;
    answer(json!({
        "instance": parts.config.instance,
        "rules": parts.rules.borrow().as_ref().map(|r| json!({ "version": r.version(), "hash": r.hash() })),
        "blind": parts.blind.causes(),
        "lagUs": heard.then_some(lag_us),
        "rowChanges": parts.metrics.row_changes.get(),
        "transactions": parts.metrics.transactions.get(),
        "events": parts.metrics.events.get(),
        "deadLetters": parts.metrics.dead_letter_count(),
        "state": note,
        "audit": parts.audit.read(),
    }))
}

async fn audit(State(parts): State<HttpState>) -> Response {
    answer(parts.audit.read())
}

/// Asks for a run over the data at rest, after the one that is under way.
async fn ask_audit(State(parts): State<HttpState>, headers: HeaderMap) -> Response {
    if !has_bearer_token(&headers, &parts.secrets.sidecar_token) {
        return refuse(
            ApiCode::Unauthorized,
            "send Authorization: Bearer with the sidecar_token",
        );
    }
    if parts.status.read().role != "active" {
        return refuse(
            ApiCode::Unavailable,
            "this sidecar is a standby: ask the one that holds the lease",
        );
    }
    parts.audit.ask();
    answer(parts.audit.read())
}

async fn list_breakers(State(parts): State<HttpState>) -> Response {
    let listed = async {
        let mut conn = parts.pool.get_conn().await?;
        breakers::repo::list(&mut conn, &parts.schemas, MAX_ROWS_PER_ANSWER).await
    };
    listed
        .await
        .map_or_else(|error| unavailable(&error), answer)
}

#[derive(Deserialize)]
struct VerdictPageQuery {
    #[serde(default)]
    after_us: i64,
    #[serde(default = "default_limit")]
    limit: u32,
}

fn default_limit() -> u32 {
    100
}

async fn list_verdicts(
    State(parts): State<HttpState>,
    page: Result<Query<VerdictPageQuery>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Ok(Query(page)) = page else {
        return refuse(ApiCode::BadField, "after_us and limit are whole numbers");
    };
    let listed = async {
        let mut conn = parts.pool.get_conn().await?;
        verdict_repo::list(
            &mut conn,
            &parts.schemas,
            page.after_us,
            page.limit.clamp(1, MAX_ROWS_PER_ANSWER),
        )
        .await
    };
    listed
        .await
        .map_or_else(|error| unavailable(&error), answer)
}

async fn one_verdict(State(parts): State<HttpState>, Path(id): Path<String>) -> Response {
    match crate::http::verdict_explanation::explain(&parts, &id).await {
        Ok(Some(explained)) => answer(explained),
        Ok(None) => refuse(
            ApiCode::UnknownVerdict,
            "there is no verdict of this id: see GET /verdicts",
        ),
        Err(error) => failed(&error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BreakerMoveBody {
    #[serde(default)]
    by: String,
    reason: String,
}

type BreakerPath = Path<(String, String, String)>;

async fn trip(
    State(parts): State<HttpState>,
    Path(named): BreakerPath,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    by_hand(&parts, named, &headers, &body, BreakerState::Open).await
}

async fn reset(
    State(parts): State<HttpState>,
    Path(named): BreakerPath,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    by_hand(&parts, named, &headers, &body, BreakerState::Closed).await
}

async fn by_hand(
    parts: &SidecarContext,
    named: (String, String, String),
    headers: &HeaderMap,
    body: &[u8],
    to: BreakerState,
) -> Response {
    let secrets = (
        parts.config.secrets_dir.as_deref(),
        &parts.secrets.sidecar_token,
    );
    let person = match identify_actor(secrets.0, secrets.1, headers) {
        RequestActor::Person(name) => Some(name),
        RequestActor::Operator => None,
        // Every core has this token: it may stop money, and only a person lets it go.
        RequestActor::Nobody(_)
            if to == BreakerState::Open && has_bearer_token(headers, secrets.1) =>
        {
            None
        }
        RequestActor::Nobody(why) => return refuse(ApiCode::Unauthorized, why),
    };
    let key = match breaker_key(named) {
        Ok(key) => key,
        Err(error) => return refuse(ApiCode::BadField, error.to_string()),
    };
    let Ok(mut why) = serde_json::from_slice::<BreakerMoveBody>(body) else {
        return refuse(ApiCode::BadJson, r#"send {"by": "…", "reason": "…"}"#);
    };
    // Who has a token of their own acts under its name.
    why.by = person.unwrap_or(why.by);
    if why.by.trim().is_empty() || why.reason.trim().is_empty() {
        return refuse(
            ApiCode::BadField,
            "by and reason must say something: the move is written down",
        );
    }
    let wanted = BreakerMove {
        key,
        to,
        verdict_id: None,
        reason: cut(why.reason.trim(), MAX_REASON_CHARS),
        by: cut(why.by.trim(), MAX_BY_CHARS),
        at_us: now_us(),
    };
    let moved = async {
        let mut conn = parts.pool.get_conn().await?;
        breakers::apply(&mut conn, &parts.schemas, &wanted).await
    };
    match (moved.await, to) {
        (Ok(BreakerMoveResult::To(version)), _) => {
            tracing::warn!(breaker = %wanted.key, state = to.as_str(), by = wanted.by, reason = wanted.reason, version, "breaker moved by hand");
            answer(
                json!({ "breaker": wanted.key.to_string(), "state": to.as_str(), "version": version }),
            )
        }
        (Ok(BreakerMoveResult::AlreadyThere), BreakerState::Closed) => {
            refuse(ApiCode::TooLate, "this breaker is not open")
        }
        (Ok(BreakerMoveResult::AlreadyThere), BreakerState::Open) => answer(
            json!({ "breaker": wanted.key.to_string(), "state": to.as_str(), "already": true }),
        ),
        (Err(error), _) => unavailable(&error),
    }
}

fn breaker_key((point, scope, key): (String, String, String)) -> anyhow::Result<BreakerKey> {
    let parsed: BreakerKey = format!("{point}/{scope}/{key}").parse()?;
    if !parsed.key.is_ascii() || parsed.key.len() > MAX_SCOPE_KEY_CHARS {
        anyhow::bail!("a breaker's key has at most {MAX_SCOPE_KEY_CHARS} ASCII characters");
    }
    if (parsed.scope == BreakerScope::All) != (parsed.key == "*") {
        anyhow::bail!("scope all has the key *, and no other scope has it");
    }
    Ok(parsed)
}
