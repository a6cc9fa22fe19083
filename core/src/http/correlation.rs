//! Correlation of requests: each has an id, in its log lines, in what it leads to, and in its
//! answer.

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use sluice_contract::traces::{CORRELATION_HEADER, RequestOrigin, SpanKind, TraceField, TraceSpan};
use tracing::Instrument;

/// Answers the request as one with an origin: the caller's words, or fresh ones.
pub(super) async fn correlate(path: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let mut origin = RequestOrigin::of_headers(request.headers());
    let route = path.as_ref().map_or("none", MatchedPath::as_str);
    // The pattern, not the path: that may hold an account.
    let name = format!("{} {route}", request.method());
    let mut span = TraceSpan::enter(name, SpanKind::Server, origin.parent);
    span.set(TraceField::Route, route);
    origin.parent = span.parent();
    let log = tracing::info_span!("request", correlation = origin.correlation.as_str());
    let correlation = HeaderValue::from_str(origin.correlation.as_str());
    let mut answer = origin.scope(next.run(request).instrument(log)).await;
    span.set(TraceField::Status, answer.status().as_str());
    // Plain characters only: it can't fail.
    if let Ok(correlation) = correlation {
        let name = HeaderName::from_static(CORRELATION_HEADER);
        answer.headers_mut().insert(name, correlation);
    }
    answer
}
