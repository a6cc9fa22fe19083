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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::operators::People;
    use axum::body::Body;
    use axum::middleware;
    use sluice_contract::settings::Secret;
    use sluice_contract::telemetry::{self, Readiness};
    use tower::ServiceExt;

    /// Status and size of the answer to a caller from `peer`.
    async fn asked(peer: &str, path: &str, token: &str) -> (u16, usize) {
        let auth = OperatorAuth {
            people: People::among(None),
            sidecar_token: Secret::new("the-token-of-cores"),
            read_token: Some(Secret::new("the-token-to-look")),
        };
        let guard = middleware::from_fn_with_state(auth, guard_telemetry);
        let readiness = Readiness::default();
        readiness.set("lease", Some("another host, db-7, holds it".to_owned()));
        let routes = telemetry::router(readiness).route_layer(guard);
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = path.parse().unwrap();
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let answer = routes.oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
        (status, body.unwrap().len())
    }

    #[tokio::test]
    async fn from_elsewhere_a_probe_learns_no_reasons_and_metrics_need_a_token() {
        for near in ["127.0.0.1:9", "[::1]:9", "[::ffff:127.0.0.1]:9"] {
            assert_eq!(asked(near, "/metrics", "").await.0, 200, "{near}");
            assert!(asked(near, "/ready", "").await.1 > 0, "{near}");
        }
        let far = "10.0.0.7:9";
        assert_eq!(asked(far, "/live", "").await.0, 200);
        assert_eq!(asked(far, "/ready", "").await, (503, 0));
        assert_eq!(asked(far, "/metrics", "a-token-of-nobody").await.0, 401);
        for token in ["the-token-of-cores", "the-token-to-look"] {
            assert_eq!(asked(far, "/metrics", token).await.0, 200);
            assert!(asked(far, "/ready", token).await.1 > 0);
        }
    }
}
