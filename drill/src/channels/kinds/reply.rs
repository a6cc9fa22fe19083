//! Signed answers of all channels, and the answers of a channel on a bad day.

use crate::channels::kinds::backend::SimulatedReply;
use crate::channels::kinds::request::ChannelRequest;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde_json::json;
use tokio::time::sleep;

/// Answers with something that says nothing of the payment.
pub(super) async fn unclear(request: &ChannelRequest, shown: SimulatedReply) -> Response {
    match shown {
        SimulatedReply::Http500 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        // Well signed, so that the reader gets as far as reading it.
        SimulatedReply::Junk => signed(
            request,
            StatusCode::OK,
            b"<html>It works!</html>".as_slice().into(),
        ),
        SimulatedReply::Hold(time) => {
            tokio::select! {
                () = sleep(time) => {}
                () = request.backend.stop().cancelled() => {}
            }
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
        SimulatedReply::Reply(_) | SimulatedReply::Again(_) => {
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Whether both can name a trade: 1 to 64 bytes, and fourteen digits.
pub(super) fn is_identity(serial_no: &str, trade_time: &str) -> bool {
    let serial = !serial_no.is_empty() && serial_no.len() <= 64;
    serial && trade_time.len() == 14 && trade_time.bytes().all(|b| b.is_ascii_digit())
}

pub(super) fn signed_json(
    request: &ChannelRequest,
    status: StatusCode,
    reply: &impl Serialize,
) -> Response {
    match serde_json::to_vec(reply) {
        Ok(body) => signed(request, status, body.into()),
        Err(error) => wrong(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// An answer to somebody who drills: unsigned, with the reason.
pub(in crate::channels) fn wrong(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}

fn signed(request: &ChannelRequest, status: StatusCode, body: Bytes) -> Response {
    let all = request.reply_signature(&body);
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
