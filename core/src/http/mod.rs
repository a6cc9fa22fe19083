//! The public HTTP API. Answers are always `{code, msg, data}` with true statuses.

mod accounts;
mod actions;
mod answer;
mod authorize;
mod booking;
mod callbacks;
mod captured;
mod correlation;
mod deposits;
mod entries;
mod error;
mod fields;
mod keys;
mod openapi;
mod orders;
mod parameters;
pub mod reads;
mod search;
mod state;
mod statement;
mod statement_span;
mod withdrawals;

pub use error::ApiError;
pub use state::CoreApi;

use crate::http::state::CoreApiState;
use crate::metrics::METRICS;
use crate::operators::OrderAction;
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
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
        .route("/deposit", post(deposits::deposit))
        .route("/openapi.json", get(openapi::openapi))
        .route("/accounts/{id}", get(accounts::account))
        .route("/accounts/{id}/entries", get(entries::entries))
        .route("/accounts/{id}/statement.csv", get(statement::statement))
        .fallback(|| async { ApiError::new(ApiCode::NoSuchPath, "no such path") })
        .method_not_allowed_fallback(|| async {
            ApiError::new(ApiCode::NoSuchPath, "no such method on this path")
        })
        .layer(middleware::from_fn_with_state(api.clone(), receive))
        .with_state(api)
}

/// Routes of the channels' own listener.
pub fn callback_router(api: Arc<CoreApi>) -> Router {
    Router::new()
        .route("/withdraw/notify/{channel}", post(callbacks::notify))
        .fallback(|| async { ApiError::new(ApiCode::NoSuchPath, "no such path for channels") })
        .method_not_allowed_fallback(|| async {
            ApiError::new(ApiCode::NoSuchPath, "no such method on this path")
        })
        .layer(middleware::from_fn_with_state(api.clone(), receive))
        .with_state(api)
}

/// Routes that every kind of order has: itself, its history, and the actions on it.
fn of_kind(router: Router<Arc<CoreApi>>, kind: OrderKind) -> Router<Arc<CoreApi>> {
    let path = |rest: &str| format!("/{}/{{id}}{rest}", kind.word());
    let router = OrderAction::ALL.into_iter().fold(router, |router, action| {
        let act = post(move |s, h, p| actions::act(kind, action, s, h, p));
        router.route(&path(&format!("/{}", action.as_str())), act)
    });
    router
        .route(&path(""), get(move |s, h, p| orders::order(kind, s, h, p)))
        .route(
            &path("/history"),
            get(move |s, h, p| search::history(kind, s, h, p)),
        )
}

/// Gives the request its origin, lets it through to its handler if its caller may make it,
/// and counts the answer. One layer for all: each costs every request allocations.
async fn receive(
    State(api): CoreApiState,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let known = path.as_ref().map(MatchedPath::as_str);
    let route = known.unwrap_or("none");
    let answer = correlation::correlate(route, request, |request| async {
        let answer = authorize::authorize(&api, known, request, next).await;
        answer.unwrap_or_else(IntoResponse::into_response)
    })
    .await;
    METRICS
        .requests
        .with_label_values(&[route, answer.status().as_str()])
        .inc();
    answer
}
