//! Orders as their callers see them. An order is found under the path of its own kind
//! only.

use crate::dispatch::blocking_reason::blocking_reason;
use crate::guard::breakers::{self, OpenBreakers};
use crate::http::answer::success;
use crate::http::booking::order_id_name;
use crate::http::error::ApiError;
use crate::http::state::{CoreApi, CoreApiState};
use crate::orders::{Order, repo};
use crate::routing::Route;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use sluice_contract::ids::{MAX_ID_BYTES, is_plain};
use sluice_contract::order::{OrderKind, OrderState};
use sluice_contract::wire::ApiCode;

/// Reads the caller's order of this kind.
pub(super) async fn load(
    api: &CoreApi,
    client: &str,
    kind: OrderKind,
    id: &str,
) -> Result<Order, ApiError> {
    let unknown_order = || {
        ApiError::new(
            ApiCode::UnknownOrder,
            &format!("{}: no such order", order_id_name(kind)),
        )
    };
    if !is_plain(id, MAX_ID_BYTES) {
        return Err(unknown_order());
    }
    let mut conn = api
        .pool
        .get_conn()
        .await
        .map_err(|e| ApiError::internal(&e.into()))?;
    let found = repo::find(&mut conn, id)
        .await
        .map_err(|e| ApiError::internal(&e))?;
    // Another client's order doesn't exist for this one.
    found
        .filter(|o| o.client == client && o.kind == kind)
        .ok_or_else(unknown_order)
}

/// `GET /withdraw/{id}` and the like.
pub async fn order(
    kind: OrderKind,
    State(api): CoreApiState,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let order = load(&api, api.client(&headers)?, kind, &id).await?;
    let waiting = waiting(&api, &order)
        .await
        .map_err(|e| ApiError::internal(&e))?;
    Ok(success(
        StatusCode::OK,
        order.shown(),
        shown(&order, waiting),
    ))
}

/// Shows an order; `waiting` is what it waits for.
pub(super) fn shown(order: &Order, waiting: Option<String>) -> Value {
    let account = match order.kind {
        OrderKind::CashOut => "fromAccountId",
        OrderKind::Settlement | OrderKind::Refund => "accountId",
    };
    json!({
        order_id_name(order.kind): order.order_id,
        "status": order.shown(),
        "waitsFor": waiting,
        account: order.account_id,
        "toAccountId": order.to_account,
        "kind": order.kind.as_str(),
        "paymentNo": order.payment_no,
        "amount": order.amount.normalize().to_string(),
        "currency": order.currency,
        "transactionId": order.transaction_id,
        "bizNo": order.biz_no,
        "channel": order.channel,
        "route": Route::read(order.route.as_deref()),
        "serialNo": order.serial_no,
        "tradeTime": order.trade_time,
        "resultCode": order.result_code,
        "acknowledgedUs": order.acknowledged_us,
        "createdUs": order.created_us,
        "updatedUs": order.updated_us,
        "version": order.version,
    })
}

/// Finds why an order isn't on its way; the breakers are read only if they may be the cause.
async fn waiting(api: &CoreApi, order: &Order) -> anyhow::Result<Option<String>> {
    let stalled = api.fence.stalled();
    let ready = order.state == OrderState::Init && stalled.is_none();
    let tripped = match ready {
        true => {
            let known = api.fence.breakers_version();
            let mut conn = api.pool.get_conn().await?;
            breakers::read_sealed(&mut conn, &api.schemas, &api.provenance, known).await?
        }
        false => OpenBreakers::default(),
    };
    Ok(blocking_reason(
        order,
        stalled.as_deref(),
        &tripped,
        api.fence.holds(&order.account_id),
    ))
}
