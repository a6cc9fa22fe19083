//! Search for orders by any id, and their history.

use crate::access::Caller;
use crate::http::answer::success;
use crate::http::booking::order_id_name;
use crate::http::error::ApiError;
use crate::http::keys::canonical_key;
use crate::http::orders::{load, shown};
use crate::http::state::{CoreApi, CoreApiState};
use crate::lookup::OrderLookup;
use crate::lookup::repo::{LookupKey, OrderPage};
use crate::orders::Order;
use crate::orders::names::scoped;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_contract::clock::now_us;
use sluice_contract::ids::{MAX_KEY_BYTES, is_plain, order_id_of_serial};
use sluice_contract::order::OrderKind;
use sluice_contract::wire::ApiCode;

/// Orders of one page, unless the caller asks for fewer, and at most.
const DEFAULT_PAGE_SIZE: usize = 50;
const MAX_PAGE_SIZE: usize = 500;

/// Parameters of a search.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrderSearch {
    transaction_id: Option<String>,
    serial_no: Option<String>,
    key: Option<String>,
    biz_no: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

impl CoreApi {
    fn lookup(&self) -> OrderLookup {
        OrderLookup {
            orders: self.pool.clone(),
            ledger: self.ledger.clone(),
            schemas: self.schemas.clone(),
        }
    }
}

/// `GET /withdraw?transactionId=|serialNo=|key=|bizNo=`: the caller's own orders under
/// that id. `GET /withdraw?after=&limit=`: all of them by pages, oldest first,
/// once they are as old as `listing.delay_ms` says.
pub async fn search(
    State(api): CoreApiState,
    caller: Caller,
    query: Result<Query<OrderSearch>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(search) = query
        .map_err(|e| ApiError::new(ApiCode::BadField, &format!("query: {}", e.body_text())))?;
    let limit = search.limit.unwrap_or(DEFAULT_PAGE_SIZE);
    if !(1..=MAX_PAGE_SIZE).contains(&limit) {
        return Err(ApiError::new(
            ApiCode::BadField,
            &format!("limit: 1 to {MAX_PAGE_SIZE}"),
        ));
    }
    let found = match named_id(&search)? {
        Some((SearchedId::Key, id)) if canonical_key(id).is_none() => Vec::new(),
        Some((name, id)) if name != SearchedId::Key && !is_plain(id, MAX_KEY_BYTES) => Vec::new(),
        Some((name, id)) => find(&api, &caller, name, id)
            .await
            .map_err(|e| ApiError::internal(&e))?,
        None => {
            let after = search.after.as_deref().unwrap_or_default();
            if !after.is_empty() && order_id_of_serial(after).is_none() {
                return Err(ApiError::new(
                    ApiCode::BadField,
                    "after: `next` of the page before",
                ));
            }
            let listed_us = now_us() - i64::from(api.listing_delay_ms) * 1_000;
            let page = OrderPage {
                client: caller.client(),
                account: caller.end_user(),
                after,
                made_before_ms: u64::try_from(listed_us / 1_000).unwrap_or_default(),
            };
            api.lookup()
                .of_client(&page, limit)
                .await
                .map_err(|e| ApiError::internal(&e))?
        }
    };
    // Ids are no pages: the last one may be somebody else's.
    let is_page = named_id(&search)?.is_none();
    let next = found
        .last()
        .filter(|_| is_page && found.len() == limit)
        .map(|o| o.order_id.clone());
    let own = found
        .iter()
        .filter(|o| caller.owns(&o.client, &o.account_id));
    let orders: Vec<Value> = own.map(|o| shown(o, None)).collect();
    Ok(success(
        StatusCode::OK,
        "ok",
        json!({ "orders": orders, "next": next }),
    ))
}

/// An id that orders can be searched by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SearchedId {
    Transaction,
    Serial,
    Key,
    Biz,
}

/// Finds the one id that the search names, if any.
fn named_id(search: &OrderSearch) -> Result<Option<(SearchedId, &str)>, ApiError> {
    let ids = [
        (SearchedId::Transaction, &search.transaction_id),
        (SearchedId::Serial, &search.serial_no),
        (SearchedId::Key, &search.key),
        (SearchedId::Biz, &search.biz_no),
    ];
    let mut given = ids
        .into_iter()
        .filter_map(|(name, id)| Some((name, id.as_deref()?)));
    let first = given.next();
    if given.next().is_some() || (first.is_some() && search.after.is_some()) {
        let msg = "query: one of transactionId, serialNo, key, bizNo, or after and limit";
        return Err(ApiError::new(ApiCode::BadField, msg));
    }
    Ok(first)
}

async fn find(
    api: &CoreApi,
    caller: &Caller,
    name: SearchedId,
    id: &str,
) -> anyhow::Result<Vec<Order>> {
    let client = caller.client();
    let clients = [client];
    let spelt = canonical_key(id).unwrap_or_else(|| id.to_owned());
    let key = scoped(&caller.scope(), spelt);
    let by = match name {
        SearchedId::Transaction => LookupKey::ClientsTransaction(client, caller.end_user(), id),
        SearchedId::Biz => LookupKey::ClientsBiz(client, caller.end_user(), id),
        SearchedId::Key => LookupKey::Key(&clients, &key),
        SearchedId::Serial => {
            let Some(order_id) = order_id_of_serial(id) else {
                return Ok(Vec::new());
            };
            let mut conn = api.pool.get_conn().await?;
            let found = crate::orders::repo::find(&mut conn, &order_id).await?;
            return Ok(found.into_iter().collect());
        }
    };
    api.lookup().find_by(by).await
}

/// `GET /withdraw/{id}/history`: everything that happened to the order, oldest first.
pub async fn history(
    kind: OrderKind,
    State(api): CoreApiState,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let order = load(&api, &caller, kind, &id).await?;
    let timeline = api
        .lookup()
        .timeline(&order)
        .await
        .map_err(|e| ApiError::internal(&e))?;
    let lines = timeline.lines(&order);
    let lines: Vec<Value> = lines
        .iter()
        .map(|l| json!({ "atUs": l.at_us, "what": l.what, "text": l.text }))
        .collect();
    Ok(success(
        StatusCode::OK,
        "ok",
        json!({ order_id_name(kind): id, "version": order.version, "history": lines }),
    ))
}
