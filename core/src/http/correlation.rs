//! Correlation of requests: each has an id, in its log lines, in what it leads to, and in its
//! answer.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use sluice_contract::traces::{CORRELATION_HEADER, RequestOrigin, SpanKind, TraceField, TraceSpan};
use tracing::Instrument;

/// Answers the request as one with an origin: the caller's words, or fresh ones.
pub(super) async fn correlate<F: Future<Output = Response>>(
    route: &str,
    request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response {
    let mut origin = RequestOrigin::of_headers(request.headers());
    // The pattern, not the path: that may hold an account.
    let name = format!("{} {route}", request.method());
    let mut span = TraceSpan::enter(name, SpanKind::Server, origin.parent);
    span.set(TraceField::Route, route);
    origin.parent = span.parent();
    let log = tracing::info_span!("request", correlation = origin.correlation.as_str());
    let correlation = HeaderValue::from_str(origin.correlation.as_str());
    let mut answer = origin.scope(answer(request).instrument(log)).await;
    span.set(TraceField::Status, answer.status().as_str());
    // Plain characters only: it can't fail.
    if let Ok(correlation) = correlation {
        let name = HeaderName::from_static(CORRELATION_HEADER);
        answer.headers_mut().insert(name, correlation);
    }
    answer
}
