//! Finding orders by any id, their history, and what an upstream says of an end:
//! that it knows it, or that it wants to be told again (stage 4 of recovery).

use super::orders::{load, shown};
use super::request::order_id_name;
use super::{Api, ApiError, Shared, success};
use crate::desk::Desk;
use crate::desk::repo::By;
use crate::orders::Order;
use crate::orders::state::Event;
use crate::outcome::{Outcome, Taken};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_contract::ids::{MAX_KEY, is_plain, order_id_of_serial};
use sluice_contract::order::Kind;
use sluice_contract::wire::ApiCode;

/// Orders of one page, unless the caller asks for fewer, and at most.
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 500;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Search {
    transaction_id: Option<String>,
    serial_no: Option<String>,
    key: Option<String>,
    biz_no: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

impl Api {
    fn desk(&self) -> Desk {
        Desk {
            orders: self.pool.clone(),
            ledger: self.ledger.clone(),
            schemas: self.schemas.clone(),
        }
    }
}

/// `GET /withdraw?transactionId=|serialNo=|key=|bizNo=`: the caller's own orders under
/// that id. `GET /withdraw?after=&limit=`: all of them by pages, oldest first.
pub async fn search(
    State(api): Shared,
    headers: HeaderMap,
    query: Result<Query<Search>, QueryRejection>,
) -> Result<Response, ApiError> {
    let client = api.client(&headers)?;
    let Query(search) = query
        .map_err(|e| ApiError::new(ApiCode::BadField, &format!("query: {}", e.body_text())))?;
    let limit = search.limit.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(ApiError::new(
            ApiCode::BadField,
            &format!("limit: 1 to {LARGEST_PAGE}"),
        ));
    }
    let found = match named(&search)? {
        Some((_, id)) if !is_plain(id, MAX_KEY) => Vec::new(),
        Some((name, id)) => find(&api, client, name, id)
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
            api.desk()
                .of_client(client, after, limit)
                .await
                .map_err(|e| ApiError::internal(&e))?
        }
    };
    let next = found
        .last()
        .filter(|_| found.len() == limit)
        .map(|o| o.order_id.clone());
    let orders: Vec<Value> = found.iter().map(|o| shown(o, None)).collect();
    Ok(success(
        StatusCode::OK,
        "ok",
        json!({ "orders": orders, "next": next }),
    ))
}

/// The one id that the search names, if any.
fn named(search: &Search) -> Result<Option<(&'static str, &str)>, ApiError> {
    let ids = [
        ("transactionId", &search.transaction_id),
        ("serialNo", &search.serial_no),
        ("key", &search.key),
        ("bizNo", &search.biz_no),
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

async fn find(api: &Api, client: &str, name: &str, id: &str) -> anyhow::Result<Vec<Order>> {
    let clients = [client];
    match name {
        "transactionId" => api.desk().find_by(By::Transaction(id), client).await,
        "bizNo" => api.desk().find_by(By::Biz(id), client).await,
        "key" => api.desk().find_by(By::Key(&clients, id), client).await,
        _ => {
            let Some(order_id) = order_id_of_serial(id) else {
                return Ok(Vec::new());
            };
            let mut conn = api.pool.get_conn().await?;
            let found = crate::orders::repo::find(&mut conn, &order_id).await?;
            Ok(found.into_iter().filter(|o| o.client == client).collect())
        }
    }
}

/// `GET /withdraw/{id}/history`: everything that happened to the order, oldest first.
pub async fn history(
    kind: Kind,
    State(api): Shared,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let order = load(&api, api.client(&headers)?, kind, &id).await?;
    let story = api
        .desk()
        .story(&order)
        .await
        .map_err(|e| ApiError::internal(&e))?;
    let lines = story.lines(&order);
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

/// `POST …/{id}/ack`: the upstream says that it knows the end.
pub async fn ack(
    kind: Kind,
    State(api): Shared,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let order = load(&api, api.client(&headers)?, kind, &id).await?;
    match api
        .outcomes
        .record(Outcome::new(order.at(), Event::Heard))
        .await
    {
        Ok(Taken::Moved | Taken::Already) => Ok(success(
            StatusCode::OK,
            order.shown(),
            json!({ order_id_name(kind): id }),
        )),
        Ok(_) => {
            let msg = format!(
                "the order is {}: there is no end to acknowledge yet",
                order.shown()
            );
            Err(ApiError::new(ApiCode::NotEnded, &msg))
        }
        Err(error) => Err(ApiError::new(ApiCode::Unavailable, &error.to_string())),
    }
}

/// `POST …/{id}/renotify`: publishes the order's last event once more, under its own
/// id; at most once a second per order.
pub async fn renotify(
    kind: Kind,
    State(api): Shared,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let order = load(&api, api.client(&headers)?, kind, &id).await?;
    match api
        .outcomes
        .record(Outcome::new(order.at(), Event::Renotify))
        .await
    {
        Ok(Taken::Moved) => Ok(success(
            StatusCode::ACCEPTED,
            order.shown(),
            json!({ order_id_name(kind): id }),
        )),
        Ok(Taken::Refused) => Err(ApiError::new(
            ApiCode::NotEnded,
            "the order is not booked yet: ask again",
        )),
        Ok(_) => Err(ApiError::new(
            ApiCode::TooOften,
            "the order changed or was told within the last second",
        )),
        Err(error) => Err(ApiError::new(ApiCode::Unavailable, &error.to_string())),
    }
}
