//! All SQL on `orders`; its columns are in `columns`, the tables written with it in
//! `attempt_repo`, `key_repo` and `outbox_repo`.
//!
//! Lock order, everywhere: orders by order id, then balances by account and
//! currency, then inserts. Whoever keeps it can't deadlock with the others; a
//! deadlock that InnoDB sees all the same is run again.

pub use crate::orders::attempt_repo::{
    Attempt, StoredAttempt, attempts_of, push_attempt_updates, push_new_attempts,
};
pub use crate::orders::columns::{from_row, select_list};
pub use crate::orders::key_repo::{
    FreedKey, IdempotencyRow, find_keys, push_key_deletes, push_keys,
};
pub use crate::orders::outbox_repo::{
    OutboxRow, outbox_archive, outbox_backlog, outbox_delete, outbox_page, push_deletions,
    push_outbox, push_outbox_delete,
};

use crate::batch::LockWait;
use crate::orders::columns::{ASSIGNMENTS, ColumnList, INSERTED, UPDATED};
use crate::orders::seal::RowSeals;
use crate::orders::{Order, OrderRef};
use mysql_async::Row;
use mysql_async::prelude::Queryable;
use sluice_contract::order::OrderState;
use sluice_contract::provenance::OrderSealKey;
use sluice_contract::sql::{SqlLiteral, in_list, pair_list, push_lit, push_row};
use std::collections::BTreeSet;

/// Reads orders and locks them until the transaction ends. Takes the connection of
/// an open transaction. The accounts tell a sharded engine where the rows are; the
/// pairs tell one server which rows they are.
pub async fn lock<'a>(
    conn: &mut impl Queryable,
    orders: impl Iterator<Item = &'a OrderRef> + Clone,
    wait: LockWait,
) -> anyhow::Result<Vec<Order>> {
    let rows: Vec<Row> = conn.query(lock_sql(orders, wait)).await?;
    rows.iter().map(from_row).collect()
}

/// Makes the statement of `lock`.
pub fn lock_sql<'a>(orders: impl Iterator<Item = &'a OrderRef> + Clone, wait: LockWait) -> String {
    let accounts: BTreeSet<&str> = orders.clone().map(|o| o.account_id.as_str()).collect();
    let columns = select_list();
    wait.of(format!(
        "SELECT {columns} FROM orders FORCE INDEX (by_order) WHERE account_id IN {} AND ({}) \
         ORDER BY order_id FOR UPDATE",
        in_list(accounts.into_iter()),
        pairs(orders)
    ))
}

/// Names each order by its own key: two lists side by side would be looked up crosswise, a
/// thousand orders as a million.
fn pairs<'a>(orders: impl Iterator<Item = &'a OrderRef>) -> String {
    let mut sql = String::new();
    for (at, order) in orders.enumerate() {
        sql.push_str(if at == 0 {
            "(order_id="
        } else {
            " OR (order_id="
        });
        push_lit(&mut sql, SqlLiteral::Text(&order.order_id));
        sql.push_str(" AND account_id=");
        push_lit(&mut sql, SqlLiteral::Text(&order.account_id));
        sql.push(')');
    }
    sql
}

/// Finds an order by its id alone.
pub async fn find(conn: &mut impl Queryable, order_id: &str) -> anyhow::Result<Option<Order>> {
    let sql = format!("SELECT {} FROM orders WHERE order_id = ?", select_list());
    let row: Option<Row> = conn.exec_first(sql, (order_id,)).await?;
    row.as_ref().map(from_row).transpose()
}

/// Pages through orders that are due to be sent, after a cursor of due time and id. Read from the
/// index alone: one row that can't be read hides no other, and pages cost the same
/// however many wait.
pub async fn due_to_send(
    conn: &mut impl Queryable,
    now_us: i64,
    after: (i64, &str),
    max_orders: usize,
) -> anyhow::Result<Vec<(i64, OrderRef)>> {
    let sql = format!(
        "SELECT due_us,account_id,order_id FROM orders FORCE INDEX (by_state) WHERE state='init' AND due_us <= ? \
         AND due_us >= ? AND (due_us > ? OR order_id > ?) ORDER BY due_us, order_id LIMIT {max_orders}"
    );
    let rows: Vec<(i64, String, String)> =
        conn.exec(sql, (now_us, after.0, after.0, after.1)).await?;
    Ok(rows
        .into_iter()
        .map(|(due, account, order)| (due, OrderRef::new(&account, &order)))
        .collect())
}

/// Appends an INSERT of new orders to a multi-statement text, sealed with `key`.
///
/// # Errors
/// An amount with more decimals than its column.
pub fn push_inserts(sql: &mut String, orders: &[&Order], key: &OrderSealKey) -> anyhow::Result<()> {
    let seals = orders.iter().map(|o| RowSeals::of_new(o, key));
    push_order_rows(
        sql,
        &INSERTED,
        orders,
        &seals.collect::<Result<Vec<_>, _>>()?,
    );
    sql.push(';');
    Ok(())
}

/// Appends an update of locked orders: every column that may change after
/// acceptance, sealed with `key`. The rows exist and are locked, so the INSERT half never
/// happens.
pub fn push_updates(sql: &mut String, orders: &[&Order], key: &OrderSealKey) {
    let seals: Vec<_> = orders.iter().map(|o| RowSeals::of_moved(o, key)).collect();
    push_order_rows(sql, &UPDATED, orders, &seals);
    sql.push_str(" ON DUPLICATE KEY UPDATE ");
    sql.push_str(&ASSIGNMENTS);
    sql.push(';');
}

fn push_order_rows(sql: &mut String, list: &ColumnList, orders: &[&Order], seals: &[RowSeals]) {
    sql.push_str("INSERT INTO orders (");
    sql.push_str(&list.names);
    sql.push_str(") VALUES ");
    for (at, (order, seals)) in orders.iter().zip(seals).enumerate() {
        let values = list.columns.iter().map(|c| c.value(order, seals));
        let row: Vec<SqlLiteral<'_>> = values.collect();
        push_row(sql, at == 0, &row);
    }
}

/// Finds orders by the hashes of their requests: account and identity.
pub async fn by_identity(
    conn: &mut impl Queryable,
    wanted: &[(&str, &str)],
) -> anyhow::Result<Vec<Order>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let columns = select_list();
    let sql = format!(
        "SELECT {columns} FROM orders FORCE INDEX (one_per_request) WHERE (account_id,identity) IN {}",
        pair_list(wanted.iter().copied())
    );
    let rows: Vec<Row> = conn.query(sql).await?;
    rows.iter().map(from_row).collect()
}

/// Reads orders by their addresses, without a lock.
pub async fn read<'a>(
    conn: &mut impl Queryable,
    orders: impl Iterator<Item = &'a OrderRef>,
) -> anyhow::Result<Vec<Order>> {
    let pairs: BTreeSet<(&str, &str)> = orders
        .map(|o| (o.account_id.as_str(), o.order_id.as_str()))
        .collect();
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    let columns = select_list();
    let sql = format!(
        "SELECT {columns} FROM orders FORCE INDEX (PRIMARY) WHERE (account_id,order_id) IN {}",
        pair_list(pairs.into_iter())
    );
    let rows: Vec<Row> = conn.query(sql).await?;
    rows.iter().map(from_row).collect()
}

/// Counts unfinished orders by state: how many, when the oldest was made, and when the
/// first was due. Read from the index alone; ended orders are not touched, whether
/// their upstreams still have to hear of them or not.
pub async fn unfinished(conn: &mut impl Queryable) -> anyhow::Result<Vec<(String, i64, i64, i64)>> {
    let states = in_list(
        OrderState::ALL
            .iter()
            .filter(|s| !s.is_end())
            .map(|s| s.as_str()),
    );
    let sql = format!(
        "SELECT state, COUNT(*), MIN(created_us), MIN(due_us) FROM orders FORCE INDEX (by_state) \
         WHERE state IN {states} AND due_us > 0 GROUP BY state"
    );
    Ok(conn.query(sql).await?)
}
