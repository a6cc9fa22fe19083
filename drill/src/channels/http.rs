//! The simulators over HTTP: the channel's API (signed both ways), and the book
//! and scripts for whoever drills (open: the listener is on loopback).

use crate::channels::book::{BookSummary, BookedPayment};
use crate::channels::kind::SimulatorKind;
use crate::channels::script::{ActionRates, ActionScript};
use crate::channels::server::{SimulatedReply, SimulatorServer};
use crate::channels::{psp, wire};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use bytes::Bytes;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sluice_contract::clock::now_us;
use sluice_contract::wire::{ChannelPay, ChannelQuery, ChannelReply};
use std::future::Future;
use tokio::net::TcpListener;
use tokio::time::sleep;

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
    Router::new()
        .route("/{channel}/pay", post(pay))
        .route("/{channel}/query", post(query))
        .route("/{channel}/book", get(book))
        .route("/{channel}/book/summary", get(summary))
        .route("/{channel}/script", post(script))
        .route("/{channel}/rates", post(rates))
        .route("/book/summary", get(summary_of_all))
        .route("/psp/v1/payouts", post(psp::pay))
        .route("/psp/v1/payouts/by-reference/{reference}", get(psp::query))
        .route("/live", get(|| async { "live\n" }))
        .route("/ready", get(ready))
        .with_state(simulator)
}

async fn pay(
    State(simulator): State<SimulatorServer>,
    Path(channel): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    let kind = union(&channel)?;
    let request: ChannelPay = opened(&simulator, kind, &headers, &body)?;
    let sound =
        is_identity(&request.serial_no, &request.trade_time) && request.amount > Decimal::ZERO;
    if !sound {
        return Err(refusal(
            &simulator,
            kind,
            StatusCode::BAD_REQUEST,
            "FORMAT",
            "serialNo, tradeTime or amount",
        ));
    }
    let shown = simulator.pay(kind, request).await.map_err(|error| {
        tracing::error!(channel = %kind, "{error:#}");
        refusal(
            &simulator,
            kind,
            StatusCode::INTERNAL_SERVER_ERROR,
            "SYS",
            "the book can't be written",
        )
    })?;
    Ok(match shown {
        SimulatedReply::Reply(said) | SimulatedReply::Again(said) => {
            signed_json(&simulator, kind, StatusCode::OK, &wire::reply(&said))
        }
        other => unclear(&simulator, kind, other).await,
    })
}

/// What a channel on a bad day says instead of its result.
pub(super) async fn unclear(
    simulator: &SimulatorServer,
    kind: SimulatorKind,
    shown: SimulatedReply,
) -> Response {
    match shown {
        SimulatedReply::Http500 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        // Well signed, so that the reader gets as far as reading it.
        SimulatedReply::Junk => signed(
            simulator,
            kind,
            StatusCode::OK,
            b"<html>It works!</html>".as_slice().into(),
        ),
        SimulatedReply::Hold(time) => {
            tokio::select! {
                () = sleep(time) => {}
                () = simulator.stop().cancelled() => {}
            }
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
        SimulatedReply::Reply(_) | SimulatedReply::Again(_) => {
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn query(
    State(simulator): State<SimulatorServer>,
    Path(channel): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    let kind = union(&channel)?;
    let request: ChannelQuery = opened(&simulator, kind, &headers, &body)?;
    let reply = match simulator.query(kind, &request.serial_no, &request.trade_time) {
        Some(said) => wire::reply(&said),
        None => ChannelReply {
            serial_no: request.serial_no,
            trade_time: request.trade_time,
            ..words(kind.no_such_trade(), "")
        },
    };
    Ok(signed_json(&simulator, kind, StatusCode::OK, &reply))
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
        json!({ "ready": true, "seed": simulator.seed(), "callbacks_open": open, "callbacks_given_up": given_up }),
    )
}

#[allow(clippy::result_large_err)]
fn known(channel: &str) -> Result<SimulatorKind, Response> {
    channel
        .parse()
        .map_err(|e: anyhow::Error| wrong(StatusCode::NOT_FOUND, &e.to_string()))
}

/// One of the two that speak the shared JSON; the psp has paths of its own.
#[allow(clippy::result_large_err)]
fn union(channel: &str) -> Result<SimulatorKind, Response> {
    let kind = known(channel)?;
    if kind == SimulatorKind::Psp {
        Err(wrong(
            StatusCode::NOT_FOUND,
            "the psp's API is below /psp/v1",
        ))
    } else {
        Ok(kind)
    }
}

fn wrong(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}

pub(super) fn is_identity(serial_no: &str, trade_time: &str) -> bool {
    let serial = !serial_no.is_empty() && serial_no.len() <= 64;
    serial && trade_time.len() == 14 && trade_time.bytes().all(|b| b.is_ascii_digit())
}

/// Checks the signature, then reads the body.
#[allow(clippy::result_large_err)]
fn opened<T: serde::de::DeserializeOwned>(
    simulator: &SimulatorServer,
    kind: SimulatorKind,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<T, Response> {
    wire::verify(
        kind,
        &simulator.keys(kind),
        now_us() / 1_000_000,
        headers,
        body,
    )
    .map_err(|e| {
        refusal(
            simulator,
            kind,
            StatusCode::UNAUTHORIZED,
            "SIG",
            &e.to_string(),
        )
    })?;
    serde_json::from_slice(body).map_err(|e| {
        refusal(
            simulator,
            kind,
            StatusCode::BAD_REQUEST,
            "FORMAT",
            &e.to_string(),
        )
    })
}

fn refusal(
    simulator: &SimulatorServer,
    kind: SimulatorKind,
    status: StatusCode,
    code: &str,
    message: &str,
) -> Response {
    signed_json(simulator, kind, status, &words(code, message))
}

fn words(code: &str, message: &str) -> ChannelReply {
    ChannelReply {
        serial_no: String::new(),
        trade_time: String::new(),
        code: code.into(),
        message: message.into(),
        amount: None,
        to_account: None,
    }
}

pub(super) fn signed_json(
    simulator: &SimulatorServer,
    kind: SimulatorKind,
    status: StatusCode,
    reply: &impl Serialize,
) -> Response {
    match serde_json::to_vec(reply) {
        Ok(body) => signed(simulator, kind, status, body.into()),
        Err(error) => wrong(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn signed(
    simulator: &SimulatorServer,
    kind: SimulatorKind,
    status: StatusCode,
    body: Bytes,
) -> Response {
    let all = wire::signature(kind, &simulator.keys(kind), now_us() / 1_000_000, &body);
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    for (name, value) in all {
        // Digits, hex and punctuation are always a valid header value.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}
