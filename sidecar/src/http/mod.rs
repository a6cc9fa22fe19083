//! The listener: the fence's stream, breakers by hand, and what operators look at.

mod access;
pub mod answers;
mod breakers;
mod fence_stream;
mod guard_seal;
mod promotions;
mod proposals;
mod resets;
pub mod rule_sets;
pub mod state;
mod status;
pub mod suppressions;
pub mod verdict_explanation;
mod verdicts;

use crate::http::answers::refuse;
use crate::http::state::HttpState;
use axum::routing::{get, post};
use axum::{Router, middleware};
use sluice_contract::telemetry::{self, Readiness};
use sluice_contract::wire::ApiCode;

/// Rows of one answer at most.
const MAX_ROWS_PER_ANSWER: u32 = 1_000;

/// Serves everything. What only shows the sidecar's state needs a token too.
pub fn router(state: HttpState, readiness: Readiness) -> Router {
    let auth = state.auth.clone();
    let reader = middleware::from_fn_with_state(auth.clone(), access::require_reader);
    let local = middleware::from_fn_with_state(auth, access::guard_telemetry);
    Router::new()
        .route("/fence/{instance}", get(fence_stream::stream))
        .route("/status", get(status::status))
        .route("/breakers", get(breakers::list_breakers))
        .route("/breakers/seal", post(breakers::seal))
        .route("/guard/seal", post(guard_seal::seal))
        .route("/breakers/{point}/{scope}/{key}/trip", post(breakers::trip))
        .route("/verdicts", get(verdicts::list_verdicts))
        .route("/audit", get(status::audit).post(status::ask_audit))
        .route("/verdicts/{id}", get(verdicts::one_verdict))
        .merge(rule_sets::router())
        .merge(promotions::router())
        .merge(proposals::router())
        .merge(resets::router())
        .merge(suppressions::router())
        .route_layer(reader)
        .with_state(state)
        .merge(telemetry::router(readiness).route_layer(local))
        .fallback(|| async { refuse(ApiCode::NoSuchPath, "no such path") })
}
