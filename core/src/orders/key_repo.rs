//! All SQL on `idempotency`.

use mysql_async::prelude::Queryable;
use sluice_contract::sql::{SqlLiteral, in_list, pair_list, push_row};
use std::collections::HashMap;

/// A caller's key and the order it made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRow {
    pub client: String,
    pub key: String,
    pub request_hash: String,
    pub account_id: String,
    pub order_id: String,
}

/// Appends new keys: a plain INSERT, so that a key that was used is refused.
pub fn push_keys(sql: &mut String, keys: &[IdempotencyRow], now_us: i64) {
    sql.push_str("INSERT INTO idempotency (client,idempotency_key,request_hash,account_id,order_id,created_us) VALUES ");
    for (at, k) in keys.iter().enumerate() {
        push_row(
            sql,
            at == 0,
            &[
                SqlLiteral::Text(&k.client),
                SqlLiteral::Text(&k.key),
                SqlLiteral::Text(&k.request_hash),
                SqlLiteral::Text(&k.account_id),
                SqlLiteral::Text(&k.order_id),
                SqlLiteral::Int(now_us),
            ],
        );
    }
    sql.push(';');
}

/// Finds which of these `(client, key)` were used before.
pub async fn find_keys(
    conn: &mut impl Queryable,
    wanted: &[(&str, &str)],
) -> anyhow::Result<HashMap<(String, String), IdempotencyRow>> {
    let mut by_client: HashMap<&str, Vec<&str>> = HashMap::new();
    for (client, key) in wanted {
        by_client.entry(client).or_default().push(key);
    }
    let mut found = HashMap::new();
    for (client, keys) in by_client {
        let sql = format!(
            "SELECT idempotency_key,request_hash,account_id,order_id FROM idempotency WHERE client=? AND idempotency_key IN {}",
            in_list(keys.into_iter())
        );
        let rows: Vec<(String, String, String, String)> = conn.exec(sql, (client,)).await?;
        for (key, request_hash, account_id, order_id) in rows {
            let row = IdempotencyRow {
                client: client.to_owned(),
                key: key.clone(),
                request_hash,
                account_id,
                order_id,
            };
            found.insert((client.to_owned(), key), row);
        }
    }
    Ok(found)
}

/// A key whose request was refused after all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreedKey<'a> {
    pub client: &'a str,
    pub key: String,
    pub order_id: &'a str,
}

/// Appends the deletion of keys whose requests were refused after all: exactly theirs,
/// not a later order's under the same name.
pub fn push_key_deletes(sql: &mut String, keys: &[FreedKey<'_>]) {
    sql.push_str("DELETE FROM idempotency WHERE (client,idempotency_key) IN ");
    sql.push_str(&pair_list(keys.iter().map(|k| (k.client, k.key.as_str()))));
    sql.push_str(" AND order_id IN ");
    sql.push_str(&in_list(keys.iter().map(|k| k.order_id)));
    sql.push(';');
}
