//! `POST /withdraw/notify/{channel}`: a channel tells a result. The body counts
//! only if its signature holds; the 200 leaves after the commit, so that the
//! channel repeats what was not recorded.

use crate::cases::{self, CaseKind, OrderCase};
use crate::channels::{ChannelNotification, NotificationError};
use crate::http::answer::success;
use crate::http::error::ApiError;
use crate::http::state::{CoreApi, CoreApiState};
use crate::metrics::METRICS;
use crate::orders::{OrderRef, repo};
use crate::outcome::{OrderOutcome, OutcomeResult};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use sluice_contract::ids::order_id_of_serial;
use sluice_contract::wire::ApiCode;

/// Takes a notification of the channel.
pub async fn notify(
    State(api): CoreApiState,
    Path(channel): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let Some(channel) = api.channels.iter().find(|c| c.id() == channel) else {
        return Err(ApiError::new(
            ApiCode::UnknownChannel,
            "channel: not configured",
        ));
    };
    let headers = request.headers().clone();
    let body = api.body(request).await?;
    let ChannelNotification { serial_no, result } =
        channel.notified(&headers, &body).map_err(|e| {
            let code = match e {
                NotificationError::Signature { .. } => ApiCode::BadSignature,
                NotificationError::Body(_) => ApiCode::BadJson,
            };
            ApiError::new(code, &e.to_string())
        })?;
    let Some(at) = find_order(&api, &serial_no).await? else {
        return Err(unknown(&api, channel.id(), &serial_no).await);
    };
    match api
        .outcomes
        .record(OrderOutcome::of_channel(at, channel.id(), result).of_callback())
        .await
    {
        Ok(OutcomeResult::NoSuchOrder) => Err(unknown(&api, channel.id(), &serial_no).await),
        Ok(taken) => Ok(success(
            StatusCode::OK,
            "ok",
            json!({ "taken": format!("{taken:?}") }),
        )),
        Err(error) => Err(ApiError::new(ApiCode::Unavailable, &error.to_string())),
    }
}

/// Finds the order: remembered if this instance sent it, else one lookup.
async fn find_order(api: &CoreApi, serial_no: &str) -> Result<Option<OrderRef>, ApiError> {
    let Some(order_id) = order_id_of_serial(serial_no) else {
        return Ok(None);
    };
    if let Some(at) = api.outcomes.remembered(&order_id) {
        return Ok(Some(at));
    }
    let mut conn = api
        .pool
        .get_conn()
        .await
        .map_err(|e| ApiError::internal(&e.into()))?;
    let found = repo::find(&mut conn, &order_id)
        .await
        .map_err(|e| ApiError::internal(&e))?;
    Ok(found.map(|o| o.at()))
}

/// A channel that speaks of a payment which we never asked for: a person's case.
/// Its signature has held, so only the channel itself can make many of them. The
/// channel hears 404; its repeats are the same case.
async fn unknown(api: &CoreApi, channel: &'static str, serial_no: &str) -> ApiError {
    let case = OrderCase {
        account_id: "-".to_owned(),
        order_id: cases::storable(serial_no),
        kind: CaseKind::UnknownSerial,
        detail: format!("{channel} speaks of a serial number that nobody here knows"),
    };
    METRICS.contradictions.inc();
    tracing::error!(
        serial_no = case.order_id,
        channel,
        "notified of an unknown serial number"
    );
    match crate::unit_of_work::open_case(&api.pool, &api.schemas, &api.signer, case).await {
        Ok(()) => ApiError::new(ApiCode::UnknownOrder, "serialNo: no such trade here"),
        // Not written down: the channel is to tell it again.
        Err(error) => ApiError::internal(&error),
    }
}
