//! SQL of what was last taken over from the folder.

use mysql_async::Transaction;
use mysql_async::prelude::Queryable;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{SqlLiteral, in_list, push_row};
use std::collections::BTreeMap;

/// Reads what was last taken over: hashes of texts by rule.
pub async fn folder<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
) -> mysql_async::Result<BTreeMap<String, String>> {
    let rows: Vec<(String, String)> = conn
        .query(format!(
            "SELECT rule, text_hash FROM {}.rule_import",
            schemas.guard
        ))
        .await?;
    Ok(rows.into_iter().collect())
}

/// Remembers the folder as it is now; `gone` are forgotten.
pub async fn remember_folder(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    now: &BTreeMap<String, String>,
    gone: &[String],
    at_us: i64,
) -> mysql_async::Result<()> {
    let guard = &schemas.guard;
    if !now.is_empty() {
        let mut sql =
            format!("INSERT INTO {guard}.rule_import (rule, text_hash, imported_us) VALUES ");
        for (at, (rule, hash)) in now.iter().enumerate() {
            push_row(
                &mut sql,
                at == 0,
                &[
                    SqlLiteral::Text(rule),
                    SqlLiteral::Text(hash),
                    SqlLiteral::Int(at_us),
                ],
            );
        }
        sql.push_str(
            " ON DUPLICATE KEY UPDATE text_hash = VALUES(text_hash), imported_us = VALUES(imported_us)",
        );
        tx.query_drop(sql).await?;
    }
    if !gone.is_empty() {
        let rules = in_list(gone.iter().map(String::as_str));
        tx.query_drop(format!(
            "DELETE FROM {guard}.rule_import WHERE rule IN {rules}"
        ))
        .await?;
    }
    Ok(())
}
