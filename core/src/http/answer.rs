//! Answers: `{code, msg, data}` with true statuses.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sluice_contract::wire::ApiResponse;

/// Makes the answer of a request that was done.
pub(super) fn success(status: StatusCode, msg: &str, data: serde_json::Value) -> Response {
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
