//! Cancellations: an order is taken back before it is sent.

use crate::http::answer::success;
use crate::http::booking::order_id_name;
use crate::http::error::ApiError;
use crate::http::orders::load;
use crate::http::state::CoreApiState;
use crate::orders::Order;
use crate::orders::state::OrderInput;
use crate::outcome::{OrderOutcome, OutcomeResult};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;
use sluice_contract::order::OrderKind;
use sluice_contract::wire::ApiCode;

/// `POST /withdraw/{id}/cancel` and the like: works while nothing was sent.
pub async fn cancel(
    kind: OrderKind,
    State(api): CoreApiState,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let order = load(&api, api.client(&headers)?, kind, &id).await?;
    if order.was_sent() && !order.state.is_end() {
        return Err(too_late(&order));
    }
    let taken = api
        .outcomes
        .record(OrderOutcome::new(order.at(), OrderInput::Cancel))
        .await;
    match taken {
        Ok(OutcomeResult::Moved | OutcomeResult::Already) => Ok(success(
            StatusCode::OK,
            "failed",
            json!({ order_id_name(kind): id }),
        )),
        Ok(
            OutcomeResult::Contradiction
            | OutcomeResult::Refused
            | OutcomeResult::TooSoon
            | OutcomeResult::NoSuchOrder,
        ) => Err(too_late(&order)),
        Err(error) => Err(ApiError::new(ApiCode::Unavailable, &error.to_string())),
    }
}

fn too_late(order: &Order) -> ApiError {
    ApiError::new(
        ApiCode::TooLate,
        &format!(
            "the order is {}: it can only be cancelled before it is sent",
            order.shown()
        ),
    )
}
