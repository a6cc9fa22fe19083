//! Acknowledgements: an upstream says that it knows an end, or that it wants to be told
//! again (stage 4 of recovery).

use crate::http::answer::success;
use crate::http::booking::order_id_name;
use crate::http::error::ApiError;
use crate::http::orders::load;
use crate::http::state::CoreApiState;
use crate::orders::state::OrderInput;
use crate::outcome::{OrderOutcome, OutcomeResult};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;
use sluice_contract::order::OrderKind;
use sluice_contract::wire::ApiCode;

/// `POST …/{id}/ack`: the upstream says that it knows the end.
pub async fn ack(
    kind: OrderKind,
    State(api): CoreApiState,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let order = load(&api, api.client(&headers)?, kind, &id).await?;
    match api
        .outcomes
        .record(OrderOutcome::new(order.at(), OrderInput::Acknowledged))
        .await
    {
        Ok(OutcomeResult::Moved | OutcomeResult::Already) => Ok(success(
            StatusCode::OK,
            order.shown(),
            json!({ order_id_name(kind): id }),
        )),
        Ok(
            OutcomeResult::Contradiction
            | OutcomeResult::Refused
            | OutcomeResult::TooSoon
            | OutcomeResult::NoSuchOrder,
        ) => {
            let msg = format!(
                "the order is {}: there is no end to acknowledge yet",
                order.shown()
            );
            Err(ApiError::new(ApiCode::NotEnded, &msg))
        }
        Err(error) => Err(ApiError::new(ApiCode::Unavailable, &error.to_string())),
    }
}

/// `POST …/{id}/renotify`: publishes the order's last event once more, under its own
/// id; at most once a second per order.
pub async fn renotify(
    kind: OrderKind,
    State(api): CoreApiState,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let order = load(&api, api.client(&headers)?, kind, &id).await?;
    match api
        .outcomes
        .record(OrderOutcome::new(order.at(), OrderInput::Renotify))
        .await
    {
        Ok(OutcomeResult::Moved) => Ok(success(
            StatusCode::ACCEPTED,
            order.shown(),
            json!({ order_id_name(kind): id }),
        )),
        Ok(OutcomeResult::Refused) => Err(ApiError::new(
            ApiCode::NotEnded,
            "the order is not booked yet: ask again",
        )),
        Ok(
            OutcomeResult::Already
            | OutcomeResult::Contradiction
            | OutcomeResult::TooSoon
            | OutcomeResult::NoSuchOrder,
        ) => Err(ApiError::new(
            ApiCode::TooOften,
            "the order changed or was told within the last second",
        )),
        Err(error) => Err(ApiError::new(ApiCode::Unavailable, &error.to_string())),
    }
}
