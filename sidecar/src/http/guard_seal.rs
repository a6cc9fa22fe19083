//! The seal of the guard's rows over HTTP: a person vouches for them as they are.

use crate::guard_rows::mark::MarkSealing;
use crate::health::Health;
use crate::http::answers::{answer, failed, parse, refuse, unwrap_response};
use crate::http::state::OperatorAuth;
use crate::leader::guard_db::GuardDb;
use crate::verdicts::cut;
use crate::workflow::acceptance;
use crate::workflow::operators::RequestActor;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use sluice_contract::clock::now_us;
use sluice_contract::wire::ApiCode;

/// Widths of the reason, and of the name of who gives it.
const MAX_REASON_CHARS: usize = 400;
const MAX_BY_CHARS: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GuardSealBody {
    #[serde(default)]
    by: String,
    reason: String,
    /// From now on each ledger entry must have a seal.
    #[serde(default)]
    entries: bool,
}

/// Signs the guard's rows as they are; from then on each must be signed.
pub(super) async fn seal(
    State(db): State<GuardDb>,
    State(auth): State<OperatorAuth>,
    State(health): State<Health>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let sealed = async {
        let person = match auth.identify(&headers) {
            RequestActor::Person(name) => Some(name),
            RequestActor::Operator => None,
            RequestActor::Nobody(why) => {
                return Err(Box::new(refuse(ApiCode::Unauthorized, why)));
            }
        };
        let why: GuardSealBody = parse(&body)?;
        // Who has a token of their own acts under its name.
        let by = cut(person.unwrap_or(why.by).trim(), MAX_BY_CHARS);
        let reason = cut(why.reason.trim(), MAX_REASON_CHARS);
        if by.is_empty() || reason.is_empty() {
            let what = "by and reason must say something: the seal is written down";
            return Err(Box::new(refuse(ApiCode::BadField, what)));
        }
        let status = health.status.read();
        if status.role != "active" {
            let what = "this sidecar does not lead: ask the active one";
            return Err(Box::new(refuse(ApiCode::TooLate, what)));
        }
        let done = async {
            let mut conn = db.conn().await?;
            let sealing = MarkSealing {
                position: &status.binlog,
                by: &by,
                arms_entries: why.entries,
            };
            let version = acceptance::accept(&mut conn, &db, &reason, sealing, now_us()).await?;
            anyhow::Ok(version)
        };
        Ok(match done.await {
            Ok(version) => {
                tracing::warn!(
                    by,
                    reason,
                    version,
                    "the guard's rows are sealed as they are"
                );
                let entries_from_us = db.seal.rows().entries_from_us();
                answer(json!({ "sealed": version, "entriesFromUs": entries_from_us }))
            }
            Err(error) => failed(&error),
        })
    };
    unwrap_response(sealed.await)
}
