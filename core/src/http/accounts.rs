//! Accounts: what each has, in every currency.

use crate::balance::{self, Balance};
use crate::http::answer::success;
use crate::http::error::ApiError;
use crate::http::state::{CoreApi, CoreApiState};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sluice_contract::ids::{MAX_ID_BYTES, is_plain};
use sluice_contract::wire::ApiCode;

/// Reads the account's balances; an account without any doesn't exist.
pub async fn balances(api: &CoreApi, id: &str) -> Result<Vec<Balance>, ApiError> {
    let missing = || ApiError::new(ApiCode::NoSuchAccount, "accountId: no such account");
    if !is_plain(id, MAX_ID_BYTES) {
        return Err(missing());
    }
    let mut conn = api
        .balance
        .get_conn()
        .await
        .map_err(|e| ApiError::internal(&e.into()))?;
    let found = balance::repo::of_account(&mut conn, &api.schemas, id)
        .await
        .map_err(|e| ApiError::internal(&e))?;
    if found.is_empty() {
        Err(missing())
    } else {
        Ok(found)
    }
}

/// `GET /accounts/{id}`.
pub async fn account(
    State(api): CoreApiState,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    api.client(&headers)?;
    let found = balances(&api, &id).await?;
    let text = |d: Decimal| d.normalize().to_string();
    let shown = |b: &Balance| {
        json!({ "currency": b.currency, "balance": text(b.total()), "available": text(b.available),
                "reserved": text(b.reserved), "intermediate": text(b.intermediate),
                "intermediateReserved": text(b.intermediate_reserved), "version": b.version })
    };
    let balances: Vec<Value> = found.iter().map(shown).collect();
    Ok(success(
        StatusCode::OK,
        "ok",
        json!({ "accountId": id, "balances": balances }),
    ))
}
