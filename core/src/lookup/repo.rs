//! SQL that finds orders, by every id that anybody may hold. Only ever SELECT; each look-up
//! goes through one index.

use crate::orders::Order;
use crate::orders::repo::{from_row, select_list};
use mysql_async::prelude::Queryable;
use mysql_async::{Params, Row};
use sluice_contract::order::OrderState;
use sluice_contract::sql::in_list;

/// An id under which an order may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupKey<'a> {
    Transaction(&'a str),
    /// The upstream's own number.
    Biz(&'a str),
    /// The same two of one client's orders alone, or of one of its users': client, the
    /// user's account, id.
    ClientsTransaction(&'a str, Option<&'a str>, &'a str),
    ClientsBiz(&'a str, Option<&'a str>, &'a str),
    /// An idempotent key, of one of these clients.
    Key(&'a [&'a str], &'a str),
}

/// Finds the ids of orders, at most `max_orders`, the oldest first. The client is part of
/// the statement and of its index: what others have under the same number neither hides
/// an order of this client nor costs it anything.
pub async fn ids(
    conn: &mut impl Queryable,
    by: LookupKey<'_>,
    max_orders: usize,
) -> anyhow::Result<Vec<String>> {
    let sql = match by {
        LookupKey::Transaction(id) => {
            return first(conn, "transaction_id=?", (id,), max_orders).await;
        }
        LookupKey::Biz(id) => return first(conn, "biz_no=?", (id,), max_orders).await,
        LookupKey::ClientsTransaction(client, None, id) => {
            let of = "transaction_id=? AND client=?";
            return first(conn, of, (id, client), max_orders).await;
        }
        LookupKey::ClientsTransaction(client, Some(account), id) => {
            let of = "transaction_id=? AND client=? AND account_id=?";
            return first(conn, of, (id, client, account), max_orders).await;
        }
        LookupKey::ClientsBiz(client, None, id) => {
            return first(conn, "biz_no=? AND client=?", (id, client), max_orders).await;
        }
        LookupKey::ClientsBiz(client, Some(account), id) => {
            let of = "biz_no=? AND client=? AND account_id=?";
            return first(conn, of, (id, client, account), max_orders).await;
        }
        LookupKey::Key(clients, key) => format!(
            "SELECT order_id FROM idempotency WHERE client IN {} AND idempotency_key IN {} LIMIT {max_orders}",
            in_list(clients.iter().copied()),
            in_list([key].into_iter())
        ),
    };
    Ok(conn.query(sql).await?)
}

async fn first(
    conn: &mut impl Queryable,
    condition: &str,
    values: impl Into<Params> + Send,
    max_orders: usize,
) -> anyhow::Result<Vec<String>> {
    let index = if condition.starts_with("biz_no") {
        "by_biz"
    } else {
        "by_transaction"
    };
    let sql = format!(
        "SELECT order_id FROM orders FORCE INDEX ({index}) WHERE {condition} ORDER BY client,order_id LIMIT {max_orders}"
    );
    Ok(conn.exec(sql, values.into()).await?)
}

/// Loads orders by their ids, oldest first.
pub async fn load(conn: &mut impl Queryable, ids: &[String]) -> anyhow::Result<Vec<Order>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids = in_list(ids.iter().map(String::as_str));
    let sql = format!(
        "SELECT {} FROM orders FORCE INDEX (by_order) WHERE order_id IN {ids} ORDER BY order_id",
        select_list()
    );
    let rows: Vec<Row> = conn.query(sql).await?;
    rows.iter().map(from_row).collect()
}

/// A page of orders: whose, and between which ids.
#[derive(Debug, Clone, Copy)]
pub struct OrderPage<'a> {
    pub client: &'a str,
    /// The one account whose orders are wanted.
    pub account: Option<&'a str>,
    pub after: &'a str,
    /// Orders that were made before this time, in milliseconds since 1970 UTC.
    pub made_before_ms: u64,
}

/// Pages through a client's orders, oldest first, after an order's id.
pub async fn of_client(
    conn: &mut impl Queryable,
    page: &OrderPage<'_>,
    max_orders: usize,
) -> anyhow::Result<Vec<Order>> {
    // Ids begin with their time.
    let until = format!("{:012x}", page.made_before_ms);
    let columns = select_list();
    let values = (page.client, page.after, until);
    let rows: Vec<Row> = match page.account {
        None => {
            let sql = format!(
                "SELECT {columns} FROM orders FORCE INDEX (by_client) \
                 WHERE client=? AND order_id>? AND order_id<? ORDER BY order_id LIMIT {max_orders}"
            );
            conn.exec(sql, values).await?
        }
        Some(account) => {
            let sql = format!(
                "SELECT {columns} FROM orders FORCE INDEX (PRIMARY) WHERE account_id=? \
                 AND client=? AND order_id>? AND order_id<? ORDER BY order_id LIMIT {max_orders}"
            );
            let (client, after, until) = values;
            conn.exec(sql, (account, client, after, until)).await?
        }
    };
    rows.iter().map(from_row).collect()
}

/// Finds orders that have not ended and were made before `before_us`, oldest first.
pub async fn unfinished(
    conn: &mut impl Queryable,
    before_us: i64,
    max_orders: usize,
) -> anyhow::Result<Vec<Order>> {
    let states = OrderState::ALL
        .iter()
        .filter(|s| !s.is_end())
        .map(|s| s.as_str());
    let sql = format!(
        "SELECT order_id FROM orders FORCE INDEX (by_state) WHERE state IN {} AND due_us > 0 AND created_us < ? \
         ORDER BY created_us LIMIT {max_orders}",
        in_list(states)
    );
    let ids: Vec<String> = conn.exec(sql, (before_us,)).await?;
    load(conn, &ids).await
}

/// Finds ended orders, published before `before_us`, whose upstream has not acknowledged
/// the end.
pub async fn unacknowledged(
    conn: &mut impl Queryable,
    before_us: i64,
    max_orders: usize,
) -> anyhow::Result<Vec<Order>> {
    let sql = format!(
        "SELECT order_id FROM orders FORCE INDEX (by_state) WHERE state IN ('success','failed','returned') \
         AND due_us > 0 AND notified_us < ? ORDER BY notified_us LIMIT {max_orders}"
    );
    let ids: Vec<String> = conn.exec(sql, (before_us,)).await?;
    load(conn, &ids).await
}
