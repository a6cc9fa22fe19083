//! Breakers over HTTP: the list, trips by hand, and the seal.

use crate::breakers::{self, BreakerMove, BreakerMoveResult};
use crate::http::MAX_ROWS_PER_ANSWER;
use crate::http::answers::{answer, refuse, unavailable};
use crate::http::state::{OperatorAuth, unproven};
use crate::leader::guard_db::GuardDb;
use crate::verdicts::cut;
use crate::workflow::operators::RequestActor;
use crate::workflow::timed::{self, TimedKind};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use mysql_async::TxOpts;
use serde::Deserialize;
use serde_json::json;
use sluice_contract::breaker::{BreakerKey, BreakerState};
use sluice_contract::clock::now_us;
use sluice_contract::wire::ApiCode;

/// Widths of `reason` and `changed_by`.
const MAX_REASON_CHARS: usize = 400;
const MAX_BY_CHARS: usize = 64;

/// Answers every breaker that was ever moved.
pub(super) async fn list_breakers(State(db): State<GuardDb>) -> Response {
    let listed = async {
        let mut conn = db.conn().await?;
        breakers::repo::list(&mut conn, &db.schemas, MAX_ROWS_PER_ANSWER).await
    };
    listed
        .await
        .map_or_else(|error| unavailable(&error), answer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BreakerMoveBody {
    #[serde(default)]
    by: String,
    reason: String,
}

pub(super) type BreakerPath = Path<(String, String, String)>;

/// Opens a breaker by hand; one that is open for a while is open for good then.
pub(super) async fn trip(
    State(db): State<GuardDb>,
    State(auth): State<OperatorAuth>,
    Path(named): BreakerPath,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let wanted = match wanted_trip(&auth, named, &headers, &body) {
        Ok(wanted) => wanted,
        Err(refused) => return *refused,
    };
    let breaker = wanted.key.to_string();
    let moved = async {
        let mut conn = db.conn().await?;
        let mut tx = conn.start_transaction(TxOpts::default()).await?;
        let (moved, sealed) =
            breakers::apply_within(&mut tx, &db.schemas, &db.seal, &wanted).await?;
        // With the move: else a crash between the two would let its time end it.
        timed::repo::forget(&mut tx, &db.schemas, TimedKind::Breaker, &breaker).await?;
        tx.commit().await?;
        db.seal.committed(sealed);
        Ok(moved)
    };
    let state = wanted.to.as_str();
    match moved.await {
        Ok(BreakerMoveResult::To(version)) => {
            tracing::warn!(
                breaker,
                by = wanted.by,
                reason = wanted.reason,
                version,
                "breaker opened by hand"
            );
            answer(json!({ "breaker": breaker, "state": state, "version": version }))
        }
        Ok(BreakerMoveResult::AlreadyThere | BreakerMoveResult::SealBroken(_)) => {
            answer(json!({ "breaker": breaker, "state": state, "already": true }))
        }
        Err(error) => unavailable(&error),
    }
}

/// Seals the breakers as they are, after somebody changed them by hand.
pub(super) async fn seal(
    State(db): State<GuardDb>,
    State(auth): State<OperatorAuth>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    // What closes breakers needs a person, and this may accept a closed one.
    let why =
        person(&auth, &headers, BreakerState::Closed).and_then(|person| reason(person, &body));
    let (by, reason) = match why {
        Ok(why) => why,
        Err(refused) => return *refused,
    };
    let sealed = async {
        let mut conn = db.conn().await?;
        let why = (by.as_str(), reason.as_str());
        breakers::accept_as_they_are(&mut conn, &db.schemas, &db.seal, why, now_us()).await
    };
    match sealed.await {
        Ok(version) => {
            tracing::warn!(by, reason, version, "breakers sealed as they are");
            answer(json!({ "sealed": version }))
        }
        Err(error) => unavailable(&error),
    }
}

/// Reads from the request which breaker is to open, why, and by whom.
fn wanted_trip(
    auth: &OperatorAuth,
    named: (String, String, String),
    headers: &HeaderMap,
    body: &[u8],
) -> Result<BreakerMove, Box<Response>> {
    let person = person(auth, headers, BreakerState::Open)?;
    let bad = |code, msg: &str| Box::new(refuse(code, msg));
    let key = breaker_key(named).map_err(|error| bad(ApiCode::BadField, &error.to_string()))?;
    let (by, reason) = reason(person, body)?;
    Ok(BreakerMove {
        key,
        to: BreakerState::Open,
        verdict_id: None,
        reason,
        by,
        at_us: now_us(),
    })
}

/// Reads by whom and why; both fit their columns.
fn reason(person: Option<String>, body: &[u8]) -> Result<(String, String), Box<Response>> {
    let bad = |code, msg: &str| Box::new(refuse(code, msg));
    let why = serde_json::from_slice::<BreakerMoveBody>(body);
    let mut why = why.map_err(|_| bad(ApiCode::BadJson, r#"send {"by": "…", "reason": "…"}"#))?;
    let is_named = person.is_some() || !why.by.trim().is_empty();
    // Who has a token of their own acts under its name.
    why.by = person.unwrap_or_else(|| unproven(&why.by));
    if !is_named || why.reason.trim().is_empty() {
        return Err(bad(
            ApiCode::BadField,
            "by and reason must say something: the move is written down",
        ));
    }
    Ok((
        cut(why.by.trim(), MAX_BY_CHARS),
        cut(why.reason.trim(), MAX_REASON_CHARS),
    ))
}

/// Name of the person who acts, if they have a token of their own.
fn person(
    auth: &OperatorAuth,
    headers: &HeaderMap,
    to: BreakerState,
) -> Result<Option<String>, Box<Response>> {
    match auth.identify(headers) {
        RequestActor::Person(name) => Ok(Some(name)),
        RequestActor::Operator => Ok(None),
        // Every core has this token: it may stop money, and only a person lets it go.
        RequestActor::Nobody(_) if to == BreakerState::Open && auth.has_sidecar_token(headers) => {
            Ok(None)
        }
        RequestActor::Nobody(why) => Err(Box::new(refuse(ApiCode::Unauthorized, why))),
    }
}

pub(super) fn breaker_key(
    (point, scope, key): (String, String, String),
) -> anyhow::Result<BreakerKey> {
    format!("{point}/{scope}/{key}").parse()
}
