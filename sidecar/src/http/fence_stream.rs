//! The fence's stream over HTTP.

use crate::fence::FencePublisher;
use crate::http::answers::refuse;
use crate::http::state::OperatorAuth;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use sluice_contract::wire::ApiCode;

/// Streams fence lines to one core.
pub(super) async fn stream(
    State(auth): State<OperatorAuth>,
    State(fence): State<FencePublisher>,
    Path(instance): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = auth.require_sidecar_token(&headers) {
        return *refused;
    }
    if !sluice_contract::ids::is_plain(&instance, sluice_contract::ids::MAX_ID_BYTES) {
        return refuse(
            ApiCode::BadField,
            "instance: 1 to 32 letters, digits and _ - . :",
        );
    }
    fence.stream(instance)
}
