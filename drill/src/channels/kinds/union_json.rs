//! The JSON that the two unions share: messages, and the handlers of pay and query. The
//! core's reading of it is written apart, so that a mistake there meets another opinion.

use crate::channels::kinds::backend::{SharedBackend, SimulatedReply};
use crate::channels::kinds::reply::{is_identity, signed_json, unclear};
use crate::channels::kinds::request::ChannelRequest;
use crate::channels::kinds::{ChannelSimulator, SimulatorKind, TradeMessage};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use rust_decimal::Decimal;
use serde_json::Value;
use sluice_contract::signing::MessageDirection;
use sluice_contract::wire::{ChannelPay, ChannelQuery, ChannelReply};

/// Currencies of the networks, and the decimals that an amount's text may have.
const DECIMALS: [(&str, u32); 14] = [
    ("AUD", 2),
    ("BHD", 3),
    ("CAD", 2),
    ("CHF", 2),
    ("CNY", 2),
    ("EUR", 2),
    ("GBP", 2),
    ("HKD", 2),
    ("JPY", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("SGD", 2),
    ("THB", 2),
    ("USD", 2),
];

/// `/<id>/pay` and `/<id>/query`.
pub(super) fn routes(kind: SimulatorKind) -> Router<SharedBackend> {
    let pay =
        move |State(backend): State<SharedBackend>, uri: Uri, headers: HeaderMap, body: Bytes| {
            pay(
                ChannelRequest::new(backend, kind, &uri, &headers),
                headers,
                body,
            )
        };
    let query =
        move |State(backend): State<SharedBackend>, uri: Uri, headers: HeaderMap, body: Bytes| {
            query(
                ChannelRequest::new(backend, kind, &uri, &headers),
                headers,
                body,
            )
        };
    Router::new()
        .route(&format!("/{kind}/pay"), post(pay))
        .route(&format!("/{kind}/query"), post(query))
}

async fn pay(
    request: ChannelRequest,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    let asked: ChannelPay = opened(&request, MessageDirection::Pay, &headers, &body)?;
    let sound = is_identity(&asked.serial_no, &asked.trade_time) && is_amount(&asked);
    if !sound {
        let why = "serialNo, tradeTime, currency or amount";
        return Err(refusal(&request, StatusCode::BAD_REQUEST, "FORMAT", why));
    }
    let shown = request
        .backend
        .pay(request.kind, asked)
        .await
        .map_err(|error| unwritten(&request, &error))?;
    match shown {
        SimulatedReply::Reply(said) | SimulatedReply::Again(said) => tell(&request, &said),
        bad @ (SimulatedReply::Hold(_) | SimulatedReply::Http500 | SimulatedReply::Junk) => {
            Ok(unclear(&request, bad).await)
        }
    }
}

async fn query(
    request: ChannelRequest,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    let asked: ChannelQuery = opened(&request, MessageDirection::Query, &headers, &body)?;
    let found = request
        .backend
        .query(request.kind, &asked.serial_no, &asked.trade_time);
    match found {
        Some(said) => tell(&request, &said),
        None => {
            let answer = ChannelReply {
                serial_no: asked.serial_no,
                trade_time: asked.trade_time,
                ..words(request.kind.simulator().no_such_trade(), "")
            };
            Ok(signed_json(&request, StatusCode::OK, &answer))
        }
    }
}

/// Whether the network pays this: a currency of its own, in no finer digits than it counts.
fn is_amount(asked: &ChannelPay) -> bool {
    let known = DECIMALS.iter().find(|(code, _)| *code == asked.currency);
    asked.amount > Decimal::ZERO
        && known.is_some_and(|(_, digits)| asked.amount.normalize().scale() <= *digits)
}

/// Checks the signature, then reads the body.
#[allow(clippy::result_large_err)]
fn opened<T: serde::de::DeserializeOwned>(
    request: &ChannelRequest,
    direction: MessageDirection,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<T, Response> {
    request
        .verify(direction, headers, body)
        .map_err(|e| refusal(request, StatusCode::UNAUTHORIZED, "SIG", &e.to_string()))?;
    serde_json::from_slice(body)
        .map_err(|e| refusal(request, StatusCode::BAD_REQUEST, "FORMAT", &e.to_string()))
}

#[allow(clippy::result_large_err)]
fn tell(request: &ChannelRequest, said: &TradeMessage) -> Result<Response, Response> {
    let written = reply(request.kind.simulator(), said);
    written
        .map(|written| signed_json(request, StatusCode::OK, &written))
        .map_err(|error| unwritten(request, &error.into()))
}

/// The body of a reply, and of a callback.
pub(super) fn reply(
    channel: &dyn ChannelSimulator,
    said: &TradeMessage,
) -> serde_json::Result<Value> {
    let written = serde_json::to_value(ChannelReply {
        serial_no: said.pay.serial_no.clone(),
        trade_time: said.pay.trade_time.clone(),
        code: said.code.clone(),
        message: String::new(),
        amount: Some(said.pay.amount),
        currency: Some(said.pay.currency.clone()),
        to_account: Some(said.pay.to_account.clone()),
    })?;
    Ok(said.bent(channel, written))
}

fn unwritten(request: &ChannelRequest, error: &anyhow::Error) -> Response {
    tracing::error!(channel = %request.kind, "{error:#}");
    let why = "the book can't be written";
    refusal(request, StatusCode::INTERNAL_SERVER_ERROR, "SYS", why)
}

fn refusal(request: &ChannelRequest, status: StatusCode, code: &str, message: &str) -> Response {
    signed_json(request, status, &words(code, message))
}

fn words(code: &str, message: &str) -> ChannelReply {
    ChannelReply {
        serial_no: String::new(),
        trade_time: String::new(),
        code: code.into(),
        message: message.into(),
        amount: None,
        currency: None,
        to_account: None,
    }
}
