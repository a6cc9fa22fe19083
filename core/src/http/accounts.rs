//! What an account has, and how it came to it: balances, and entries by cursor.

use crate::balance::{self, Balance};
use crate::http::{ApiError, CoreApi, CoreApiState, success};
use crate::ledger;
use crate::ledger::entry::{Entry, EntryPosition};
use crate::ledger::repo::EntryFilter;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sluice_contract::ids::{MAX_ID_BYTES, is_plain};
use sluice_contract::money::{AmountError, Currency};
use sluice_contract::wire::ApiCode;
use std::collections::BTreeMap;

/// Entries of one answer, if nobody says how many.
const DEFAULT_PAGE_SIZE: usize = 100;
const MAX_PAGE_SIZE: usize = 1_000;

pub type QueryParameters = Query<Vec<(String, String)>>;

/// Parameters by name; an unknown or doubled one is named.
pub fn named_parameters(
    given: Vec<(String, String)>,
    known: &[&str],
) -> Result<BTreeMap<String, String>, ApiError> {
    let mut all = BTreeMap::new();
    for (name, value) in given {
        if !known.contains(&name.as_str()) {
            return Err(bad_field(
                &name,
                &format!("is no parameter here; known are {}", known.join(", ")),
            ));
        }
        if all.insert(name.clone(), value).is_some() {
            return Err(bad_field(&name, "is given twice"));
        }
    }
    Ok(all)
}

pub fn bad_field(field: &str, why: &str) -> ApiError {
    let name: String = field
        .chars()
        .filter(char::is_ascii_graphic)
        .take(40)
        .collect();
    ApiError::new(ApiCode::BadField, &format!("{name}: {why}"))
}

pub fn currency(api: &CoreApi, given: &BTreeMap<String, String>) -> Result<Currency, ApiError> {
    let Some(code) = given.get("currency") else {
        return Ok(api.default_currency);
    };
    code.parse().map_err(|e: AmountError| {
        ApiError::new(ApiCode::UnknownCurrency, &format!("currency: {e}"))
    })
}

/// The account's balances; an account without any doesn't exist.
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

/// `GET /accounts/{id}/entries`: oldest first, one currency, from behind a cursor.
/// The answer's `next` is the cursor behind its last entry, also at the end, so that
/// whoever asks again sees what came since.
pub async fn entries(
    State(api): CoreApiState,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(given): QueryParameters,
) -> Result<Response, ApiError> {
    api.client(&headers)?;
    let given = named_parameters(given, &["currency", "after", "limit"])?;
    let wanted = EntryFilter {
        account_id: id.clone(),
        currency: currency(&api, &given)?,
        book: None,
        until_us: i64::MAX,
    };
    let after = match given.get("after") {
        Some(cursor) => EntryPosition::parse(cursor)
            .ok_or_else(|| bad_field("after", "is not a cursor that was given out here"))?,
        None => EntryPosition::at(0),
    };
    let limit = match given.get("limit") {
        Some(text) => text
            .parse()
            .ok()
            .filter(|n| (1..=MAX_PAGE_SIZE).contains(n)),
        None => Some(DEFAULT_PAGE_SIZE),
    };
    let limit = limit
        .ok_or_else(|| bad_field("limit", &format!("is a number from 1 to {MAX_PAGE_SIZE}")))?;
    balances(&api, &id).await?;
    let page = page(&api, &wanted, &after, limit)
        .await
        .map_err(|e| ApiError::internal(&e))?;
    let next = page.last().map_or(after, Entry::position);
    let answer = json!({
        "accountId": id,
        "currency": wanted.currency,
        "entries": page.iter().map(shown).collect::<Vec<_>>(),
        "next": next.cursor(),
        "more": page.len() == limit,
    });
    Ok(success(StatusCode::OK, "ok", answer))
}

pub async fn page(
    api: &CoreApi,
    wanted: &EntryFilter,
    after: &EntryPosition,
    most: usize,
) -> anyhow::Result<Vec<Entry>> {
    let mut conn = api.ledger.get_conn().await?;
    ledger::repo::page(&mut conn, &api.schemas, wanted, after, most).await
}

fn shown(entry: &Entry) -> Value {
    json!({
        "postingId": entry.posting_id,
        "line": entry.line,
        "kind": entry.kind,
        "book": entry.book,
        "side": if entry.credit { "C" } else { "D" },
        "amount": entry.amount.normalize().to_string(),
        "reference": entry.reference,
        "createdUs": entry.created_us,
    })
}
