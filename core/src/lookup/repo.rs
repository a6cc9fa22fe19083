//! SQL that finds orders, by every id that anybody may hold. Only ever SELECT; each look-up
//! goes through one index.

use crate::orders::Order;
use crate::orders::repo::{from_row, select_list};
use mysql_async::Row;
use mysql_async::prelude::Queryable;
use sluice_contract::order::OrderState;
use sluice_contract::sql::in_list;

/// An id under which an order may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupKey<'a> {
    Transaction(&'a str),
    /// The upstream's own number.
    Biz(&'a str),
    /// An idempotent key, of one of these clients.
    Key(&'a [&'a str], &'a str),
}

/// Finds the ids of orders, at most `max_orders`.
pub async fn ids(
    conn: &mut impl Queryable,
    by: LookupKey<'_>,
    max_orders: usize,
) -> anyhow::Result<Vec<String>> {
    let one = |id: &str| in_list([id].into_iter());
    let sql = match by {
        LookupKey::Transaction(id) => format!(
            "SELECT order_id FROM orders WHERE transaction_id IN {} LIMIT {max_orders}",
            one(id)
        ),
        LookupKey::Biz(id) => format!(
            "SELECT order_id FROM orders WHERE biz_no IN {} LIMIT {max_orders}",
            one(id)
        ),
        LookupKey::Key(clients, key) => format!(
            "SELECT order_id FROM idempotency WHERE client IN {} AND idempotency_key IN {} LIMIT {max_orders}",
            in_list(clients.iter().copied()),
            one(key)
        ),
    };
    Ok(conn.query(sql).await?)
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
