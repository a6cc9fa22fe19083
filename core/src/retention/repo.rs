//! SQL of retention: finds a batch by an index, then deletes exactly these rows.

use crate::orders::repo::push_deletions;
use crate::transaction::Transaction;
use anyhow::Context;
use mysql_async::Row;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::order::OrderState;
use sluice_contract::provenance::{SignedDeletions, TransactionSigner};
use sluice_contract::schema::Schemas;
use sluice_contract::sql::Conn;
use sluice_contract::sql::{SqlLiteral, pair_list, push_lit};

fn pairs_of(rows: &[(String, String)]) -> String {
    pair_list(rows.iter().map(|(one, two)| (one.as_str(), two.as_str())))
}

/// Deletes archived events that no reason keeps.
pub(super) async fn purge_archive(
    conn: &mut Conn,
    before_us: i64,
    max_rows: usize,
) -> anyhow::Result<u64> {
    let find = format!(
        "SELECT account_id,tx_id FROM outbox_archive FORCE INDEX (by_age) WHERE archived_us<? AND reason IS NULL \
         ORDER BY archived_us LIMIT {max_rows}"
    );
    let rows: Vec<(String, String)> = conn.exec(find, (before_us,)).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let pairs = pairs_of(&rows);
    conn.query_drop(format!(
        "DELETE FROM outbox_archive WHERE (account_id,tx_id) IN {pairs} AND reason IS NULL"
    ))
    .await?;
    Ok(conn.affected_rows())
}

/// Deletes cases that were closed so long ago; the sidecar is told which.
pub(super) async fn purge_cases(
    conn: &mut Conn,
    key: &TransactionSigner,
    before_us: i64,
    max_rows: usize,
) -> anyhow::Result<u64> {
    let find = format!(
        "SELECT account_id,order_id FROM cases FORCE INDEX (by_state) WHERE state='closed' AND opened_us<? \
         AND closed_us<? ORDER BY opened_us LIMIT {max_rows}"
    );
    let rows: Vec<(String, String)> = conn.exec(find, (before_us, before_us)).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let pairs = pairs_of(&rows);
    let lock = format!(
        "SELECT account_id,order_id,kind,detail FROM cases WHERE (account_id,order_id) IN {pairs} \
         AND state='closed' AND closed_us<{before_us} FOR UPDATE"
    );
    let delete = format!(
        "DELETE FROM cases WHERE (account_id,order_id) IN {pairs} AND state='closed' AND closed_us<{before_us}"
    );
    delete_signed(conn, key, ("cases", &lock), delete).await
}

/// Locks rows, signs that exactly these go, and deletes them. `lock` selects the four columns of
/// the table's key.
async fn delete_signed(
    conn: &mut Conn,
    key: &TransactionSigner,
    (table, lock): (&str, &str),
    delete: String,
) -> anyhow::Result<u64> {
    let (transaction, rows) = Transaction::begin_locking(conn, lock).await?;
    let mut deletions = SignedDeletions::default();
    for row in &rows {
        let part = |at| row.get::<String, usize>(at).context("a part of a key");
        let parts = [part(0)?, part(1)?, part(2)?, part(3)?];
        deletions.add(table, &parts.each_ref().map(String::as_str));
    }
    let mut writes = String::new();
    push_deletions(&mut writes, &deletions, key, now_us());
    transaction.commit(format!("{writes}{delete};")).await?;
    Ok(rows.len() as u64)
}

/// Deletes totals of months before `month` (`YYYYMM`) and of their days; the sidecar is told
/// which.
pub(super) async fn purge_totals(
    conn: &mut Conn,
    key: &TransactionSigner,
    month: &str,
    max_rows: usize,
) -> anyhow::Result<u64> {
    let mut which = "FROM limit_total WHERE period<".to_owned();
    push_lit(&mut which, SqlLiteral::Text(month));
    which.push_str(&format!(
        " ORDER BY period,scope,scope_key,currency LIMIT {max_rows}"
    ));
    let lock = format!("SELECT period,scope,scope_key,currency {which} FOR UPDATE");
    delete_signed(conn, key, ("limit_total", &lock), format!("DELETE {which}")).await
}

/// Deletes tokens of cores that have raised none for so long.
pub(super) async fn purge_tokens(
    conn: &mut Conn,
    schemas: &Schemas,
    before_us: i64,
    max_rows: usize,
) -> anyhow::Result<u64> {
    let sql = format!(
        "DELETE FROM {}.fence_token WHERE updated_us<? LIMIT {max_rows}",
        schemas.guard
    );
    conn.exec_drop(sql, (before_us,)).await?;
    Ok(conn.affected_rows())
}

/// An order as retention looks at it.
pub(super) struct OldOrder {
    pub account_id: String,
    pub order_id: String,
    pub ended: bool,
    pub updated_us: i64,
}

/// Pages through orders by id, between two ids.
pub(super) async fn orders_page(
    conn: &mut Conn,
    after: &str,
    until: &str,
    max_orders: usize,
) -> anyhow::Result<Vec<OldOrder>> {
    let sql = format!(
        "SELECT account_id,order_id,state,due_us,updated_us FROM orders FORCE INDEX (by_order) \
         WHERE order_id>? AND order_id<? ORDER BY order_id LIMIT {max_orders}"
    );
    let rows: Vec<Row> = conn.exec(sql, (after, until)).await?;
    let make = |row: Row| {
        type OldColumns = (String, String, String, Option<i64>, i64);
        let stored: OldColumns = mysql_async::from_row_opt(row).context("orders row")?;
        let (account_id, order_id, state, due_us, updated_us) = stored;
        // An order in a state of a newer build, or one that still has something due, stays.
        let state = state.parse::<OrderState>();
        Ok(OldOrder {
            account_id,
            order_id,
            ended: state.is_ok_and(OrderState::is_end) && due_us.is_none(),
            updated_us,
        })
    };
    rows.into_iter().map(make).collect()
}

/// Deletes the histories of these orders: account and id.
pub(super) async fn purge_transitions(
    conn: &mut Conn,
    orders: &[(&str, &str)],
) -> anyhow::Result<u64> {
    if orders.is_empty() {
        return Ok(0);
    }
    let pairs = pair_list(orders.iter().copied());
    conn.query_drop(format!(
        "DELETE FROM order_transition WHERE (account_id,order_id) IN {pairs}"
    ))
    .await?;
    Ok(conn.affected_rows())
}

/// Reads a task's place; empty is the beginning.
pub(super) async fn cursor(conn: &mut Conn, name: &str) -> anyhow::Result<String> {
    let sql = "SELECT place FROM retention_cursor WHERE name=?";
    let place: Option<String> = conn.exec_first(sql, (name,)).await?;
    Ok(place.unwrap_or_default())
}

/// Keeps a task's place.
pub(super) async fn set_cursor(conn: &mut Conn, name: &str, place: &str) -> anyhow::Result<()> {
    let sql = "INSERT INTO retention_cursor (name,place) VALUES (?,?) ON DUPLICATE KEY UPDATE place=VALUES(place)";
    Ok(conn.exec_drop(sql, (name, place)).await?)
}
