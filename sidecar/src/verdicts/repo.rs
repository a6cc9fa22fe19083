//! SQL of verdicts.

use super::Verdict;
use mysql_async::{Conn, params, prelude::Queryable};
use serde::Serialize;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{Lit, in_list, push_row};
use std::collections::HashSet;

/// Rows per statement: well below any server's packet limit.
const ROWS: usize = 200;

/// Those ids that are recorded already. The caller holds the lease's row, so nobody
/// else adds any meanwhile.
pub async fn known<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    verdicts: &[Verdict],
) -> mysql_async::Result<HashSet<String>> {
    let mut known = HashSet::new();
    for some in verdicts.chunks(ROWS) {
        let ids = in_list(some.iter().map(|v| v.verdict_id.as_str()));
        let sql = format!("SELECT verdict_id FROM {}.verdict WHERE verdict_id IN {ids}", schemas.guard);
        known.extend(conn.query::<String, _>(sql).await?);
    }
    Ok(known)
}

/// Records verdicts; one that is there already stays as it is.
pub async fn insert<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    verdicts: &[&Verdict],
    found_us: i64,
) -> mysql_async::Result<()> {
    for some in verdicts.chunks(ROWS) {
        let mut sql = format!(
            "INSERT IGNORE INTO {}.verdict (verdict_id, rule, rule_hash, mode, outcome, position, item, account_id, \
             breaker, message, found_us) VALUES ",
            schemas.guard
        );
        for (at, v) in some.iter().enumerate() {
            let breaker = v.breaker_text();
            let row = [
                Lit::Text(&v.verdict_id),
                Lit::Text(&v.rule),
                Lit::Text(&v.rule_hash),
                Lit::Text(v.mode),
                Lit::Text(v.outcome),
                Lit::Text(&v.position),
                Lit::Text(&v.item),
                Lit::Text(&v.account_id),
                Lit::from(breaker.as_deref()),
                Lit::Text(&v.message),
                Lit::Int(found_us),
            ];
            push_row(&mut sql, at == 0, &row);
        }
        conn.query_drop(sql).await?;
    }
    Ok(())
}

/// A verdict as people read it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    pub verdict_id: String,
    pub rule: String,
    pub rule_hash: String,
    pub mode: String,
    pub outcome: String,
    pub position: String,
    pub item: String,
    pub account_id: String,
    pub breaker: Option<String>,
    pub message: String,
    pub found_us: i64,
}

/// Verdicts found after `after_us`, oldest first.
pub async fn list(conn: &mut Conn, schemas: &Schemas, after_us: i64, limit: u32) -> mysql_async::Result<Vec<Listed>> {
    let sql = format!(
        "SELECT verdict_id, rule, rule_hash, mode, outcome, position, item, account_id, breaker, message, found_us \
         FROM {}.verdict WHERE found_us > :after_us ORDER BY found_us, verdict_id LIMIT {limit}",
        schemas.guard
    );
    conn.exec_map(
        sql,
        params! { after_us },
        |(verdict_id, rule, rule_hash, mode, outcome, position, item, account_id, breaker, message, found_us)| Listed {
            verdict_id,
            rule,
            rule_hash,
            mode,
            outcome,
            position,
            item,
            account_id,
            breaker,
            message,
            found_us,
        },
    )
    .await
}
