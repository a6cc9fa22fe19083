//! All SQL on `request_nonce`.

use mysql_async::prelude::Queryable;
use sluice_contract::sql::{Pool, SqlLiteral, pair_list, push_row};
use std::collections::HashSet;

const MAX_ROWS_PER_DELETE: usize = 500;

/// The use of a nonce by one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NonceUse {
    pub client: String,
    pub nonce: String,
    pub used_by: String,
    /// Seconds since 1970 UTC.
    pub expires_s: i64,
}

/// Records uses; returns the `used_by` of those that were the first of their nonce. Said
/// again it answers the same.
pub(super) async fn record(pool: &Pool, uses: &[&NonceUse]) -> anyhow::Result<HashSet<String>> {
    let mut conn = pool.get_conn().await?;
    let mut sql =
        "INSERT IGNORE INTO request_nonce (client,nonce,used_by,expires_s) VALUES ".to_owned();
    for (at, used) in uses.iter().enumerate() {
        let row = [
            SqlLiteral::Text(&used.client),
            SqlLiteral::Text(&used.nonce),
            SqlLiteral::Text(&used.used_by),
            SqlLiteral::Int(used.expires_s),
        ];
        push_row(&mut sql, at == 0, &row);
    }
    conn.query_drop(sql).await?;
    if conn.affected_rows() == uses.len() as u64 {
        return Ok(uses.iter().map(|used| used.used_by.clone()).collect());
    }
    let keys = uses.iter().map(|used| (&*used.client, &*used.nonce));
    let sql = format!(
        "SELECT used_by FROM request_nonce WHERE (client,nonce) IN {}",
        pair_list(keys)
    );
    let known: HashSet<String> = conn.query::<String, _>(sql).await?.into_iter().collect();
    let ours = uses.iter().map(|used| &used.used_by);
    Ok(ours.filter(|id| known.contains(*id)).cloned().collect())
}

/// Deletes some uses whose time has passed; tells whether these were the last.
pub(super) async fn forget(pool: &Pool, now_s: i64) -> anyhow::Result<bool> {
    let mut conn = pool.get_conn().await?;
    let sql = format!(
        "DELETE FROM request_nonce WHERE expires_s<? ORDER BY expires_s LIMIT {MAX_ROWS_PER_DELETE}"
    );
    conn.exec_drop(sql, (now_s,)).await?;
    Ok(conn.affected_rows() < MAX_ROWS_PER_DELETE as u64)
}
