//! The JSON that the two unions share: messages, signatures, and the handlers of pay and
//! query. The core's reading of it is written apart, so that a mistake there meets
//! another opinion here.

use crate::channels::kinds::backend::{SharedBackend, SimulatedReply};
use crate::channels::kinds::reply::{is_identity, signed_json, unclear};
use crate::channels::kinds::{SimulatorKind, TradeMessage};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::keys::SigningKeys;
use sluice_contract::signing::{
    SIGNATURE_HEADER, SignatureError, TIMESTAMP_HEADER, sign, verify as verified,
};
use sluice_contract::wire::{ChannelPay, ChannelQuery, ChannelReply};

/// `/<id>/pay` and `/<id>/query`.
pub(super) fn routes(kind: SimulatorKind) -> Router<SharedBackend> {
    let pay = move |State(backend): State<SharedBackend>, headers: HeaderMap, body: Bytes| {
        pay(backend, kind, headers, body)
    };
    let query = move |State(backend): State<SharedBackend>, headers: HeaderMap, body: Bytes| {
        query(backend, kind, headers, body)
    };
    Router::new()
        .route(&format!("/{kind}/pay"), post(pay))
        .route(&format!("/{kind}/query"), post(query))
}

/// The body of a callback is the same as a reply's.
pub(super) fn notice(said: &TradeMessage) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&reply(said))
}

pub(super) fn signature(
    keys: &SigningKeys,
    now_s: i64,
    body: &[u8],
) -> Vec<(&'static str, String)> {
    vec![
        (SIGNATURE_HEADER, sign(keys.current(), now_s, body)),
        (TIMESTAMP_HEADER, now_s.to_string()),
    ]
}

pub(super) fn verify(
    keys: &SigningKeys,
    now_s: i64,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), SignatureError> {
    let header = |name| headers.get(name).and_then(|v| v.to_str().ok());
    let (time, signature) = (header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER));
    keys.either(|secret| verified(secret, now_s, time, signature, body))
}

async fn pay(
    backend: SharedBackend,
    kind: SimulatorKind,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    let request: ChannelPay = opened(&backend, kind, &headers, &body)?;
    let sound =
        is_identity(&request.serial_no, &request.trade_time) && request.amount > Decimal::ZERO;
    let refuse = |status, code, why| refusal(&backend, kind, status, code, why);
    if !sound {
        let why = "serialNo, tradeTime or amount";
        return Err(refuse(StatusCode::BAD_REQUEST, "FORMAT", why));
    }
    let shown = backend.pay(kind, request).await.map_err(|error| {
        tracing::error!(channel = %kind, "{error:#}");
        let why = "the book can't be written";
        refuse(StatusCode::INTERNAL_SERVER_ERROR, "SYS", why)
    })?;
    Ok(match shown {
        SimulatedReply::Reply(said) | SimulatedReply::Again(said) => {
            signed_json(&backend, kind, StatusCode::OK, &reply(&said))
        }
        bad @ (SimulatedReply::Hold(_) | SimulatedReply::Http500 | SimulatedReply::Junk) => {
            unclear(&backend, kind, bad).await
        }
    })
}

async fn query(
    backend: SharedBackend,
    kind: SimulatorKind,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    let request: ChannelQuery = opened(&backend, kind, &headers, &body)?;
    let answer = match backend.query(kind, &request.serial_no, &request.trade_time) {
        Some(said) => reply(&said),
        None => ChannelReply {
            serial_no: request.serial_no,
            trade_time: request.trade_time,
            ..words(kind.simulator().no_such_trade(), "")
        },
    };
    Ok(signed_json(&backend, kind, StatusCode::OK, &answer))
}

/// Checks the signature, then reads the body.
#[allow(clippy::result_large_err)]
fn opened<T: serde::de::DeserializeOwned>(
    backend: &SharedBackend,
    kind: SimulatorKind,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<T, Response> {
    let refuse = |status, code, why: String| refusal(backend, kind, status, code, &why);
    verify(&backend.keys(kind), now_us() / 1_000_000, headers, body)
        .map_err(|e| refuse(StatusCode::UNAUTHORIZED, "SIG", e.to_string()))?;
    serde_json::from_slice(body)
        .map_err(|e| refuse(StatusCode::BAD_REQUEST, "FORMAT", e.to_string()))
}

fn reply(said: &TradeMessage) -> ChannelReply {
    ChannelReply {
        serial_no: said.pay.serial_no.clone(),
        trade_time: said.pay.trade_time.clone(),
        code: said.code.clone(),
        message: String::new(),
        amount: Some(said.pay.amount),
        to_account: Some(said.pay.to_account.clone()),
    }
}

fn refusal(
    backend: &SharedBackend,
    kind: SimulatorKind,
    status: StatusCode,
    code: &str,
    message: &str,
) -> Response {
    signed_json(backend, kind, status, &words(code, message))
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
