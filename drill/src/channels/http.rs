//! The simulators over HTTP: each channel's own API (signed both ways), and books,
//! scripts and rates for people who drill (open: the listener is on loopback).

use crate::channels::book::{BookSummary, BookedPayment};
use crate::channels::kinds::SimulatorKind;
use crate::channels::kinds::backend::SharedBackend;
use crate::channels::kinds::reply::wrong;
use crate::channels::script::ActionScript;
use crate::channels::script::rates::ActionRates;
use crate::channels::server::SimulatorServer;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::future::Future;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Payments on one page of the book.
const MAX_PAYMENTS_PER_PAGE: usize = 10_000;

pub(super) async fn serve(
    simulator: SimulatorServer,
    listener: TcpListener,
    end: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let listener = listener.tap_io(|io| {
        // Without it a small reply may wait for the peer's delayed ACK.
        let _ = io.set_nodelay(true);
    });
    axum::serve(listener, router(simulator))
        .with_graceful_shutdown(end)
        .await?;
    Ok(())
}

fn router(simulator: SimulatorServer) -> Router {
    let shared = Router::new()
        .route("/{channel}/book", get(book))
        .route("/{channel}/book/summary", get(summary))
        .route("/{channel}/script", post(script))
        .route("/{channel}/rates", post(rates))
        .route("/book/summary", get(summary_of_all))
        .route("/live", get(|| async { "live\n" }))
        .route("/ready", get(ready));
    let backend: SharedBackend = Arc::new(simulator.clone());
    let own = SimulatorKind::ALL.map(|kind| kind.simulator().routes());
    let own = own.into_iter().fold(Router::new(), Router::merge);
    shared.with_state(simulator).merge(own.with_state(backend))
}

#[derive(Deserialize)]
struct BookPageQuery {
    #[serde(default)]
    after: usize,
    #[serde(default = "default_limit")]
    limit: usize,
}

fn default_limit() -> usize {
    1_000
}

#[derive(Serialize)]
struct BookPage {
    items: Vec<BookedPayment>,
    /// `after` of the next page, if there is more.
    next: Option<usize>,
}

async fn book(
    State(simulator): State<SimulatorServer>,
    Path(channel): Path<String>,
    Query(page): Query<BookPageQuery>,
) -> Result<Json<BookPage>, Response> {
    let limit = page.limit.clamp(1, MAX_PAYMENTS_PER_PAGE);
    let (items, next) = simulator.page(Some(known(&channel)?), page.after, limit);
    Ok(Json(BookPage { items, next }))
}

async fn summary(
    State(simulator): State<SimulatorServer>,
    Path(channel): Path<String>,
) -> Result<Json<BookSummary>, Response> {
    Ok(Json(simulator.summary(Some(known(&channel)?))))
}

async fn summary_of_all(State(simulator): State<SimulatorServer>) -> Json<BookSummary> {
    Json(simulator.summary(None))
}

async fn script(
    State(simulator): State<SimulatorServer>,
    Path(channel): Path<String>,
    Json(script): Json<ActionScript>,
) -> Result<StatusCode, Response> {
    simulator
        .add_script(known(&channel)?, script)
        .map_err(|e| wrong(StatusCode::BAD_REQUEST, &e.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn rates(
    State(simulator): State<SimulatorServer>,
    Path(channel): Path<String>,
    Json(rates): Json<ActionRates>,
) -> Result<StatusCode, Response> {
    simulator
        .set_rates(known(&channel)?, rates)
        .map_err(|e| wrong(StatusCode::BAD_REQUEST, &e.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn ready(State(simulator): State<SimulatorServer>) -> Json<serde_json::Value> {
    let (open, given_up) = simulator.callbacks();
    Json(
        json!({ "ready": true, "seed": simulator.seed(), "callbacks_open": open, "callbacks_given_up": given_up,
            "late_requests": simulator.late_requests() }),
    )
}

#[allow(clippy::result_large_err)]
fn known(channel: &str) -> Result<SimulatorKind, Response> {
    channel
        .parse()
        .map_err(|e: anyhow::Error| wrong(StatusCode::NOT_FOUND, &e.to_string()))
}
