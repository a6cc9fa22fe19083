//! Access to what is only looked at. Verdicts, breakers and rules say who moves how much
//! and what would stop it: they are for people, cores, and machines with a token to read.

use crate::http::answers::refuse;
use crate::http::state::OperatorAuth;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sluice_contract::wire::ApiCode;
use std::net::SocketAddr;

const REFUSAL: &str = "send Authorization: Bearer with your own token, the sidecar_token or the \
                       sidecar_read_token";

/// Lets in who has any of the tokens; what changes something asks for more by itself.
pub(super) async fn require_reader(
    State(auth): State<OperatorAuth>,
    request: Request,
    next: Next,
) -> Response {
    if auth.may_read(request.headers()) {
        return next.run(request).await;
    }
    refuse(ApiCode::Unauthorized, REFUSAL)
}

/// Lets probes and metrics be asked without a token from this host alone. From elsewhere
/// a probe learns no reasons, and metrics need a token.
pub(super) async fn guard_telemetry(
    State(auth): State<OperatorAuth>,
    request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let is_local = peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    if is_local || auth.may_read(request.headers()) {
        return next.run(request).await;
    }
    match request.uri().path() {
        "/live" | "/ready" => next.run(request).await.status().into_response(),
        _ => refuse(ApiCode::Unauthorized, REFUSAL),
    }
}
