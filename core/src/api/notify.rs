//! `POST /withdraw/notify/{channel}`: a channel tells a result. The body counts
//! only if its signature holds; the 200 leaves after the commit, so that the
//! channel repeats what was not recorded.

use super::{Api, ApiError, Shared, success};
use crate::channels::client::NotifyError;
use crate::orders::{OrderRef, repo};
use crate::outcome::{Outcome, Taken};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use sluice_contract::ids::order_id_of_serial;
use sluice_contract::signing::{SIGNATURE_HEADER, TIMESTAMP_HEADER};
use sluice_contract::wire::ApiCode;

pub async fn notify(State(api): Shared, Path(channel): Path<String>, request: Request) -> Result<Response, ApiError> {
    let Some(channel) = api.channels.iter().find(|c| c.id() == channel) else {
        return Err(ApiError::new(ApiCode::UnknownChannel, "channel: not configured"));
    };
    let (time, signature) = {
        let header = |name| request.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        (header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER))
    };
    let body = api.body(request).await?;
    let (reply, heard) = channel.notified((time.as_deref(), signature.as_deref()), &body).map_err(|e| match e {
        NotifyError::Signature(e) => ApiError::new(ApiCode::BadSignature, &format!("{SIGNATURE_HEADER}: {e}")),
        NotifyError::Body(e) => ApiError::new(ApiCode::BadJson, &format!("body: {e}")),
    })?;
    let unknown = || ApiError::new(ApiCode::UnknownOrder, "serialNo: no such trade here");
    let order_id = order_id_of_serial(&reply.serial_no).ok_or_else(unknown)?;
    let at = whose(&api, &order_id).await?.ok_or_else(|| {
        tracing::error!(order = %order_id, channel = channel.id(), "notified of an unknown serial number");
        unknown()
    })?;
    match api.outcomes.record(Outcome::heard(at, channel.id(), heard)).await {
        Ok(Taken::NoSuchOrder) => Err(unknown()),
        Ok(taken) => Ok(success(StatusCode::OK, "ok", json!({ "taken": format!("{taken:?}") }))),
        Err(error) => Err(ApiError::new(ApiCode::Unavailable, &error.to_string())),
    }
}

/// Where the order is: remembered if this instance sent it, else one lookup.
async fn whose(api: &Api, order_id: &str) -> Result<Option<OrderRef>, ApiError> {
    if let Some(at) = api.outcomes.remembered(order_id) {
        return Ok(Some(at));
    }
    let mut conn = api.pool.get_conn().await.map_err(|e| ApiError::internal(&e.into()))?;
    let found = repo::find(&mut conn, order_id).await.map_err(|e| ApiError::internal(&e))?;
    Ok(found.map(|o| o.at()))
}
