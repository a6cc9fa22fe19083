//! Data at rest: what the binlog never showed is found, stops that account, and is
//! said once; honest load is never suspected; a purged position closes by itself.

mod entries;
mod entry_keys;
mod hidden;
mod honest;
mod purged;

use anyhow::Context;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use sluice_contract::sql;
use sluice_drill::stage::DrillStage;
use std::time::Duration;

const AUDIT_TIMEOUT: Duration = Duration::from_secs(60);

/// A person's connection whose changes are in no binlog.
async fn connect_without_binlog(url: &str) -> anyhow::Result<Conn> {
    let mut conn = sql::connect(url).await?;
    conn.query_drop("SET SESSION sql_log_bin=0").await?;
    Ok(conn)
}

/// Adds to an account's balance where nobody sees it.
async fn raise(stage: &DrillStage, account: &str, by: i32) -> anyhow::Result<()> {
    let url = stage
        .split_books
        .as_ref()
        .map_or(stage.url.clone(), |split_books| split_books.balance.url());
    let sql = format!(
        "UPDATE {}.balance SET available=available+?,balance=balance+? WHERE account_id=?",
        stage.schemas.balance
    );
    Ok(connect_without_binlog(&url)
        .await?
        .exec_drop(sql, (by, by, account))
        .await?)
}

/// `rule account item` of verdicts, and accounts with an open breaker.
async fn said(stage: &DrillStage) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let mut conn = stage.pool.get_conn().await?;
    let guard = &stage.schemas.guard;
    let verdicts = format!(
        "SELECT CONCAT_WS(' ',rule,account_id,item) FROM {guard}.verdict ORDER BY found_us,item"
    );
    let open = format!(
        "SELECT DISTINCT scope_key FROM {guard}.breaker WHERE state='open' ORDER BY scope_key"
    );
    Ok((conn.query(verdicts).await?, conn.query(open).await?))
}

async fn one(conn: &mut Conn, sql: String) -> anyhow::Result<i64> {
    conn.query_first(sql).await?.context("a number")
}
