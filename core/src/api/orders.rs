//! Looking at orders and accounts, and taking an order back before it is sent.

use super::{Api, ApiError, Shared, success};
use crate::balance;
use crate::guard::breakers;
use crate::orders::{Order, repo, state::Event};
use crate::outcome::{Outcome, Taken};
use crate::routing::Route;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use sluice_contract::ids::{MAX_ID, is_plain};
use sluice_contract::order::State as OrderState;
use sluice_contract::wire::ApiCode;

fn unknown_order() -> ApiError {
    ApiError::new(ApiCode::UnknownOrder, "withdrawOrderId: no such order")
}

async fn load(api: &Api, client: &str, id: &str) -> Result<Order, ApiError> {
    if !is_plain(id, MAX_ID) {
        return Err(unknown_order());
    }
    let mut conn = api.pool.get_conn().await.map_err(|e| ApiError::internal(&e.into()))?;
    let found = repo::find(&mut conn, id).await.map_err(|e| ApiError::internal(&e))?;
    // Another client's order doesn't exist for this one.
    found.filter(|o| o.client == client).ok_or_else(unknown_order)
}

pub async fn order(State(api): Shared, headers: HeaderMap, Path(id): Path<String>) -> Result<Response, ApiError> {
    let order = load(&api, api.client(&headers)?, &id).await?;
    let waiting = waits_for(&api, &order).await.map_err(|e| ApiError::internal(&e))?;
    Ok(success(StatusCode::OK, order.shown(), shown(&order, waiting)))
}

fn shown(order: &Order, waiting: Option<String>) -> Value {
    json!({
        "withdrawOrderId": order.order_id,
        "status": order.shown(),
        "waitsFor": waiting,
        "fromAccountId": order.account_id,
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
        "createdUs": order.created_us,
        "updatedUs": order.updated_us,
        "version": order.version,
    })
}

/// Why an order isn't on its way, worked out when somebody asks: writing it down
/// for every waiting order would cost more than the waiting.
async fn waits_for(api: &Api, order: &Order) -> anyhow::Result<Option<String>> {
    let reason = match order.state {
        OrderState::Booking => "its reservation on the balance service".to_owned(),
        OrderState::Init => {
            if let Some(stalled) = api.fence.stalled() {
                return Ok(Some(format!("fence: {stalled}")));
            }
            let mut conn = api.pool.get_conn().await?;
            let tripped = breakers::read(&mut conn, &api.schemas).await?;
            let stops = tripped.stops(order, order.channel.as_deref().unwrap_or_default());
            match (stops, Route::read(order.route.as_deref()).filter(|r| r.chosen.is_none())) {
                (Some((breaker, why)), _) => format!("breaker {breaker} is open: {why}"),
                (None, _) if api.fence.holds(&order.account_id) => {
                    "the account's booking is not confirmed yet".to_owned()
                }
                (None, Some(route)) => format!("a route: {route}"),
                (None, None) => "its turn: fence token, then a free slot of the channel".to_owned(),
            }
        }
        OrderState::Dispatching => "the channel's answer".to_owned(),
        OrderState::Processing => "the channel's result".to_owned(),
        OrderState::InDoubt => "a clear answer; the channel is being asked".to_owned(),
        OrderState::Manual => "a person's decision".to_owned(),
        OrderState::Success | OrderState::Failed | OrderState::Returned => return Ok(None),
    };
    Ok(Some(reason))
}

/// `POST /withdraw/{id}/cancel`: works while nothing was sent.
pub async fn cancel(State(api): Shared, headers: HeaderMap, Path(id): Path<String>) -> Result<Response, ApiError> {
    let order = load(&api, api.client(&headers)?, &id).await?;
    if order.attempts > 0 && !order.state.is_end() {
        return Err(too_late(&order));
    }
    let taken = api.outcomes.record(Outcome::new(order.at(), Event::Cancel)).await;
    match taken {
        Ok(Taken::Moved | Taken::Already) => Ok(success(StatusCode::OK, "failed", json!({ "withdrawOrderId": id }))),
        Ok(_) => Err(too_late(&order)),
        Err(error) => Err(ApiError::new(ApiCode::Unavailable, &error.to_string())),
    }
}

fn too_late(order: &Order) -> ApiError {
    ApiError::new(
        ApiCode::TooLate,
        &format!("the order is {}: it can only be cancelled before it is sent", order.shown()),
    )
}

pub async fn account(State(api): Shared, headers: HeaderMap, Path(id): Path<String>) -> Result<Response, ApiError> {
    api.client(&headers)?;
    let missing = || ApiError::new(ApiCode::NoSuchAccount, "accountId: no such account");
    if !is_plain(&id, MAX_ID) {
        return Err(missing());
    }
    let mut conn = api.pool.get_conn().await.map_err(|e| ApiError::internal(&e.into()))?;
    let found = balance::repo::of_account(&mut conn, &api.schemas, &id).await.map_err(|e| ApiError::internal(&e))?;
    if found.is_empty() {
        return Err(missing());
    }
    let shown = |b: &balance::Balance| {
        let text = |d: rust_decimal::Decimal| d.normalize().to_string();
        json!({ "currency": b.currency, "balance": text(b.total()), "available": text(b.available),
                "reserved": text(b.reserved), "version": b.version })
    };
    let balances: Vec<Value> = found.iter().map(shown).collect();
    Ok(success(StatusCode::OK, "ok", json!({ "accountId": id, "balances": balances })))
}
