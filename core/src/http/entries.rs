//! Entries of an account by cursor: how it came to what it has.

use crate::access::Caller;
use crate::http::accounts::balances;
use crate::http::answer::success;
use crate::http::error::ApiError;
use crate::http::parameters::{QueryParameters, bad_field, currency, named_parameters};
use crate::http::state::{CoreApi, CoreApiState};
use crate::ledger;
use crate::ledger::entry::{Entry, EntryPosition};
use crate::ledger::repo::EntryFilter;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Entries of one answer, if nobody says how many.
const DEFAULT_PAGE_SIZE: usize = 100;
const MAX_PAGE_SIZE: usize = 1_000;

/// `GET /accounts/{id}/entries`: oldest first, one currency, from behind a cursor.
/// The answer's `next` is the cursor behind its last entry, also at the end, so that
/// whoever asks again sees what came since.
pub async fn entries(
    State(api): CoreApiState,
    caller: Caller,
    Path(id): Path<String>,
    Query(given): QueryParameters,
) -> Result<Response, ApiError> {
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
    let limit = page_size(&given)?;
    balances(&api, &caller, &id).await?;
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

fn page_size(given: &BTreeMap<String, String>) -> Result<usize, ApiError> {
    let size = match given.get("limit") {
        Some(text) => text
            .parse()
            .ok()
            .filter(|n| (1..=MAX_PAGE_SIZE).contains(n)),
        None => Some(DEFAULT_PAGE_SIZE),
    };
    size.ok_or_else(|| bad_field("limit", &format!("is a number from 1 to {MAX_PAGE_SIZE}")))
}

/// Reads at most `max_entries` entries behind `after`.
pub async fn page(
    api: &CoreApi,
    wanted: &EntryFilter,
    after: &EntryPosition,
    max_entries: usize,
) -> anyhow::Result<Vec<Entry>> {
    let mut conn = api.ledger.get_conn().await?;
    ledger::repo::page(&mut conn, &api.schemas, wanted, after, max_entries).await
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
