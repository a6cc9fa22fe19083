//! Actions on an order: `POST /withdraw/{id}/cancel`, `…/ack`, `…/renotify` and the like.
//! The room `operators` decides; this file speaks HTTP.

use crate::access::Caller;
use crate::http::answer::success;
use crate::http::booking::order_id_name;
use crate::http::error::ApiError;
use crate::http::orders::load;
use crate::http::state::CoreApiState;
use crate::operators::OrderAction;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use sluice_contract::order::OrderKind;
use sluice_contract::wire::ApiCode;

/// Carries `action` out on the caller's order of this kind.
pub async fn act(
    kind: OrderKind,
    action: OrderAction,
    State(api): CoreApiState,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let order = load(&api, &caller, kind, &id).await?;
    // What ends the notices is the client's own word: its users must not silence them.
    if action != OrderAction::Cancel && caller.end_user().is_some() {
        let msg = "this is for the client itself, not for its users";
        return Err(ApiError::new(ApiCode::NotGranted, msg));
    }
    let done = action
        .carry_out(&api.outcomes, &order)
        .await
        .map_err(|refusal| ApiError::new(refusal.code, &refusal.text))?;
    let status = match done.is_under_way {
        true => StatusCode::ACCEPTED,
        false => StatusCode::OK,
    };
    Ok(success(
        status,
        done.shown,
        json!({ order_id_name(kind): id }),
    ))
}
