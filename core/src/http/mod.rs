//! The public HTTP API. Answers are always `{code, msg, data}` with true statuses.

mod accounts;
mod captured;
mod error;
mod orders;
mod statement;

pub mod callbacks;
pub mod search;
pub mod withdrawals;

pub use crate::http::error::ApiError;

use crate::accept::Acceptor;
use crate::channels::ChannelClient;
use crate::guard::fence::FenceClient;
use crate::metrics::METRICS;
use crate::outcome::OutcomeRecorder;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use mysql_async::Pool;
use sluice_contract::money::Currency;
use sluice_contract::order::OrderKind;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use sluice_contract::wire::{ApiCode, ApiResponse};
use std::sync::Arc;

/// What handlers share; one per process.
pub struct CoreApi {
    pub acceptor: Arc<Acceptor>,
    pub outcomes: OutcomeRecorder,
    pub pool: Pool,
    /// Where balances are: `pool`, or the balance service's own server.
    pub balance: Pool,
    pub ledger: Pool,
    pub schemas: Schemas,
    /// Signs what a handler writes by itself.
    pub provenance: Secret,
    pub fence: FenceClient,
    pub channels: Arc<[ChannelClient]>,
    pub clients: Vec<(String, Secret)>,
    pub default_currency: Currency,
    pub max_body_bytes: usize,
}

pub fn router(api: Arc<CoreApi>) -> Router {
    let kinds = OrderKind::ALL.into_iter().fold(Router::new(), of_kind);
    kinds
        .route(
            "/withdraw",
            post(crate::http::withdrawals::withdraw).get(crate::http::search::search),
        )
        .route("/withdraw/submit", post(crate::http::withdrawals::submit))
        .route("/settlement", post(captured::settlement))
        .route("/refund", post(captured::refund))
        .route(
            "/withdraw/notify/{channel}",
            post(crate::http::callbacks::notify),
        )
        .route("/deposit", post(crate::http::withdrawals::deposit))
        .route("/accounts/{id}", get(accounts::account))
        .route("/accounts/{id}/entries", get(accounts::entries))
        .route("/accounts/{id}/statement.csv", get(statement::statement))
        .fallback(|| async { ApiError::new(ApiCode::NoSuchPath, "no such path") })
        .method_not_allowed_fallback(|| async {
            ApiError::new(ApiCode::NoSuchPath, "no such method on this path")
        })
        .layer(middleware::from_fn(count))
        .with_state(api)
}

/// What every kind of order has: its history, and stage 4 of recovery.
fn of_kind(router: Router<Arc<CoreApi>>, kind: OrderKind) -> Router<Arc<CoreApi>> {
    let path = |rest: &str| format!("/{}/{{id}}{rest}", kind.word());
    router
        .route(&path(""), get(move |s, h, p| orders::order(kind, s, h, p)))
        .route(
            &path("/cancel"),
            post(move |s, h, p| orders::cancel(kind, s, h, p)),
        )
        .route(
            &path("/history"),
            get(move |s, h, p| crate::http::search::history(kind, s, h, p)),
        )
        .route(
            &path("/ack"),
            post(move |s, h, p| crate::http::search::ack(kind, s, h, p)),
        )
        .route(
            &path("/renotify"),
            post(move |s, h, p| crate::http::search::renotify(kind, s, h, p)),
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

impl CoreApi {
    /// The caller's name by its bearer token, in constant time per client; a
    /// nameless one if no clients are configured (loopback only).
    fn client(&self, headers: &HeaderMap) -> Result<&str, ApiError> {
        if self.clients.is_empty() {
            return Ok(crate::config::NAMELESS_CLIENT);
        }
        let value = headers
            .get(header::AUTHORIZATION)
            .and_then(|v| v.to_str().ok());
        let token = value
            .and_then(|v| v.strip_prefix("Bearer "))
            .unwrap_or_default();
        let mut name = None;
        for (client, secret) in &self.clients {
            if secret.matches(token.as_bytes()) {
                name = Some(client.as_str());
            }
        }
        name.ok_or_else(|| {
            ApiError::new(
                ApiCode::Unauthorized,
                "Authorization: a known client's bearer token is needed",
            )
        })
    }

    async fn body(&self, request: Request) -> Result<axum::body::Bytes, ApiError> {
        axum::body::to_bytes(request.into_body(), self.max_body_bytes)
            .await
            .map_err(|_| {
                ApiError::new(
                    ApiCode::BodyTooLarge,
                    &format!(
                        "the body is larger than {} bytes or was cut off",
                        self.max_body_bytes
                    ),
                )
            })
    }
}

fn success(status: StatusCode, msg: &str, data: serde_json::Value) -> Response {
    (
        status,
        Json(ApiResponse {
            code: 0,
            msg: msg.to_owned(),
            data: Some(data),
        }),
    )
        .into_response()
}

type CoreApiState = State<Arc<CoreApi>>;
