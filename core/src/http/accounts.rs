//! Accounts: what each has, in every currency.

use crate::access::Caller;
use crate::balance::{self, Balance};
use crate::http::answer::success;
use crate::http::error::ApiError;
use crate::http::state::{CoreApi, CoreApiState};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sluice_contract::ids::{MAX_ID_BYTES, is_plain};
use sluice_contract::wire::ApiCode;

/// Reads the account's balances. An account without any, or one that isn't the caller's to
/// see, doesn't exist.
pub async fn balances(api: &CoreApi, caller: &Caller, id: &str) -> Result<Vec<Balance>, ApiError> {
    let missing = || ApiError::new(ApiCode::NoSuchAccount, "accountId: no such account");
    if !is_plain(id, MAX_ID_BYTES) || !caller.covers(id) {
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
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let found = balances(&api, &caller, &id).await?;
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
