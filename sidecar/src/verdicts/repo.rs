//! SQL of verdicts.

pub use crate::verdicts::rows_repo::{VerdictFilter, VerdictRow, find, list};

use crate::verdicts::Verdict;
use mysql_async::prelude::Queryable;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{SqlLiteral, in_list, push_row};
use std::collections::HashSet;

/// Rows per statement: with their details well below any server's packet limit.
const ROWS_PER_STATEMENT: usize = 50;

/// Reads the ids of those that are recorded already, under their own id or the one of before. The
/// caller holds the lease's row, so nobody else adds any meanwhile.
pub async fn known<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    verdicts: &[Verdict],
) -> mysql_async::Result<HashSet<String>> {
    let mut known = HashSet::new();
    for some in verdicts.chunks(ROWS_PER_STATEMENT) {
        let ids = in_list(
            some.iter()
                .flat_map(|v| [&v.verdict_id].into_iter().chain(&v.before))
                .map(String::as_str),
        );
        let sql = format!(
            "SELECT verdict_id FROM {}.verdict WHERE verdict_id IN {ids}",
            schemas.guard
        );
        let found: HashSet<String> = conn.query::<String, _>(sql).await?.into_iter().collect();
        let said = |v: &&Verdict| {
            found.contains(&v.verdict_id) || v.before.as_ref().is_some_and(|b| found.contains(b))
        };
        known.extend(some.iter().filter(said).map(|v| v.verdict_id.clone()));
    }
    Ok(known)
}

/// Records verdicts; one that is there already stays as it is.
pub async fn insert<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    verdicts: &[Verdict],
    found_us: i64,
) -> mysql_async::Result<()> {
    for some in verdicts.chunks(ROWS_PER_STATEMENT) {
        let mut sql = format!(
            "INSERT IGNORE INTO {}.verdict (verdict_id, rule, rule_hash, mode, outcome, position, item, account_id, \
             breaker, message, found_us, set_version, amount, detail, suppression, opened, correlation_id, severity, life) VALUES ",
            schemas.guard
        );
        for (at, v) in some.iter().enumerate() {
            let breaker = v.breaker_text();
            let row = [
                SqlLiteral::Text(&v.verdict_id),
                SqlLiteral::Text(&v.rule),
                SqlLiteral::Text(&v.rule_hash),
                SqlLiteral::Text(v.mode),
                SqlLiteral::Text(v.outcome),
                SqlLiteral::Text(&v.position),
                SqlLiteral::Text(&v.item),
                SqlLiteral::Text(&v.account_id),
                SqlLiteral::from(breaker.as_deref()),
                SqlLiteral::Text(&v.message),
                SqlLiteral::Int(found_us),
                SqlLiteral::Int(v.set_version),
                v.amount.map_or(SqlLiteral::Null, SqlLiteral::Dec),
                SqlLiteral::from(v.detail.as_deref()),
                SqlLiteral::from(v.suppression.as_deref()),
                SqlLiteral::Int(v.opened),
                SqlLiteral::from(v.correlation_id.as_deref()),
                SqlLiteral::Text(v.severity),
                SqlLiteral::Text(v.life().as_str()),
            ];
            push_row(&mut sql, at == 0, &row);
        }
        conn.query_drop(sql).await?;
    }
    Ok(())
}
