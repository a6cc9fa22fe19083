//! Answers of the listener: data, a refusal with its code, or a failure of ours.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sluice_contract::sql::{is_disconnect, is_retryable};
use sluice_contract::wire::{ApiCode, ApiResponse};

/// Outcome of a handler's steps; either way a response.
pub(super) type HandlerResult = Result<Response, Box<Response>>;

pub(super) fn unwrap_response(answered: HandlerResult) -> Response {
    answered.unwrap_or_else(|refused| *refused)
}

/// Parses a body, or refuses it with the parser's words.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Box<Response>> {
    serde_json::from_slice(body)
        .map_err(|error| Box::new(refuse(ApiCode::BadJson, error.to_string())))
}

pub(super) fn answer<T: Serialize>(data: T) -> Response {
    Json(ApiResponse {
        code: 0,
        msg: "ok".to_owned(),
        data: Some(data),
    })
    .into_response()
}

pub(super) fn refuse(code: ApiCode, msg: impl Into<String>) -> Response {
    answered(
        code,
        ApiResponse::<()> {
            code: code as u32,
            msg: msg.into(),
            data: None,
        },
    )
}

/// Refuses with something to read by machine.
pub(super) fn refuse_with(
    code: ApiCode,
    msg: impl Into<String>,
    data: serde_json::Value,
) -> Response {
    answered(
        code,
        ApiResponse {
            code: code as u32,
            msg: msg.into(),
            data: Some(data),
        },
    )
}

fn answered<T: Serialize>(code: ApiCode, body: ApiResponse<T>) -> Response {
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(body)).into_response()
}

/// Answers that the request may be good, but we could not do it.
pub(super) fn failed(error: &anyhow::Error) -> Response {
    match error.downcast_ref::<mysql_async::Error>() {
        Some(error) => unavailable(error),
        None => {
            tracing::error!("an operator's request failed: {error:#}");
            refuse(ApiCode::Internal, format!("{error:#}"))
        }
    }
}

pub(super) fn unavailable(error: &mysql_async::Error) -> Response {
    if !is_retryable(error)
        && !is_disconnect(error)
        && matches!(error, mysql_async::Error::Server(_))
    {
        tracing::error!(%error, "the database refused what an operator asked");
        return refuse(
            ApiCode::Internal,
            "the database refused it, and will again; the sidecar's log says why",
        );
    }
    tracing::warn!(%error, "the database did not answer an operator");
    refuse(
        ApiCode::Unavailable,
        "the database can't be asked now; try again",
    )
}
