//! The public HTTP API. Answers are always `{code, msg, data}` with true statuses.

mod accounts;
mod acknowledgements;
mod answer;
mod booking;
mod callbacks;
mod cancellations;
mod captured;
mod deposits;
mod entries;
mod error;
mod fields;
mod orders;
mod parameters;
mod search;
mod state;
mod statement;
mod statement_span;
mod withdrawals;

pub use error::ApiError;
pub use state::CoreApi;

use crate::metrics::METRICS;
use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use sluice_contract::order::OrderKind;
use sluice_contract::wire::ApiCode;
use std::sync::Arc;

/// Routes of the API.
pub fn router(api: Arc<CoreApi>) -> Router {
    let kinds = OrderKind::ALL.into_iter().fold(Router::new(), of_kind);
    kinds
        .route("/withdraw", post(withdrawals::withdraw).get(search::search))
        .route("/withdraw/submit", post(withdrawals::submit))
        .route("/settlement", post(captured::settlement))
        .route("/refund", post(captured::refund))
        .route("/withdraw/notify/{channel}", post(callbacks::notify))
        .route("/deposit", post(deposits::deposit))
        .route("/accounts/{id}", get(accounts::account))
        .route("/accounts/{id}/entries", get(entries::entries))
        .route("/accounts/{id}/statement.csv", get(statement::statement))
        .fallback(|| async { ApiError::new(ApiCode::NoSuchPath, "no such path") })
        .method_not_allowed_fallback(|| async {
            ApiError::new(ApiCode::NoSuchPath, "no such method on this path")
        })
        .layer(middleware::from_fn(count))
        .with_state(api)
}

/// Routes that every kind of order has: its history, and stage 4 of recovery.
fn of_kind(router: Router<Arc<CoreApi>>, kind: OrderKind) -> Router<Arc<CoreApi>> {
    let path = |rest: &str| format!("/{}/{{id}}{rest}", kind.word());
    router
        .route(&path(""), get(move |s, h, p| orders::order(kind, s, h, p)))
        .route(
            &path("/cancel"),
            post(move |s, h, p| cancellations::cancel(kind, s, h, p)),
        )
        .route(
            &path("/history"),
            get(move |s, h, p| search::history(kind, s, h, p)),
        )
        .route(
            &path("/ack"),
            post(move |s, h, p| acknowledgements::ack(kind, s, h, p)),
        )
        .route(
            &path("/renotify"),
            post(move |s, h, p| acknowledgements::renotify(kind, s, h, p)),
        )
}

async fn count(path: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let answer = next.run(request).await;
    let route = path.as_ref().map_or("none", MatchedPath::as_str);
    METRICS
        .requests
        .with_label_values(&[route, answer.status().as_str()])
        .inc();
    answer
}
