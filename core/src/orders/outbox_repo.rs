//! All SQL on `outbox`.

use mysql_async::prelude::Queryable;
use sluice_contract::sql::{SqlLiteral, in_list, push_lit, push_row};

/// Appends the deletion of the outbox row just written: its events are nobody's, and
/// the binlog keeps the proof.
pub fn push_outbox_delete(sql: &mut String, account_id: &str, tx_id: &str) {
    sql.push_str("DELETE FROM outbox WHERE account_id=");
    push_lit(sql, SqlLiteral::Text(account_id));
    sql.push_str(" AND tx_id=");
    push_lit(sql, SqlLiteral::Text(tx_id));
    sql.push(';');
}

/// Appends the signed outbox row of the transaction.
pub fn push_outbox(
    sql: &mut String,
    account_id: &str,
    tx_id: &str,
    signature: &str,
    events: &str,
    now_us: i64,
) {
    sql.push_str("INSERT INTO outbox (account_id,tx_id,signature,events,created_us) VALUES ");
    push_row(
        sql,
        true,
        &[
            SqlLiteral::Text(account_id),
            SqlLiteral::Text(tx_id),
            SqlLiteral::Text(signature),
            SqlLiteral::Text(events),
            SqlLiteral::Int(now_us),
        ],
    );
    sql.push(';');
}

/// One unpublished outbox row.
#[derive(Debug)]
pub struct OutboxRow {
    pub account_id: String,
    pub tx_id: String,
    pub events: String,
    pub created_us: i64,
}

/// Reads the oldest unpublished rows. The table is drained, so its size is the backlog.
pub async fn outbox_page(
    conn: &mut impl Queryable,
    max_rows: usize,
) -> anyhow::Result<Vec<OutboxRow>> {
    let sql = format!(
        "SELECT account_id,tx_id,events,created_us FROM outbox ORDER BY tx_id LIMIT {max_rows}"
    );
    let rows: Vec<(String, String, String, i64)> = conn.query(sql).await?;
    let make = |(account_id, tx_id, events, created_us)| OutboxRow {
        account_id,
        tx_id,
        events,
        created_us,
    };
    Ok(rows.into_iter().map(make).collect())
}

/// Deletes published rows.
pub async fn outbox_delete(conn: &mut impl Queryable, rows: &[OutboxRow]) -> anyhow::Result<()> {
    let accounts = in_list(rows.iter().map(|r| r.account_id.as_str()));
    let ids = in_list(rows.iter().map(|r| r.tx_id.as_str()));
    conn.query_drop(format!(
        "DELETE FROM outbox WHERE account_id IN {accounts} AND tx_id IN {ids}"
    ))
    .await?;
    Ok(())
}

/// Counts the rows, and tells since when the oldest waits.
pub async fn outbox_backlog(conn: &mut impl Queryable) -> anyhow::Result<(i64, Option<i64>)> {
    let row: Option<(i64, Option<i64>)> = conn
        .query_first("SELECT COUNT(*), MIN(created_us) FROM outbox")
        .await?;
    Ok(row.unwrap_or((0, None)))
}
