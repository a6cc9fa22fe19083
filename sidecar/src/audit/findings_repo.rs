//! SQL of differences that stand.

use mysql_async::Transaction;
use mysql_async::prelude::Queryable;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{SqlLiteral, in_list, push_row};
use std::collections::{HashMap, HashSet};

/// Rows per statement.
const ROWS_PER_STATEMENT: usize = 200;

/// Reads which of these stand already, with the ids of their verdicts. What a suppression
/// took stands for as long as it is in force. The caller holds the lease's row.
pub async fn standing(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    ids: &[&str],
    now_us: i64,
) -> mysql_async::Result<HashMap<String, String>> {
    let mut all = HashMap::new();
    for some in ids.chunks(ROWS_PER_STATEMENT) {
        let sql = format!(
            "SELECT s.finding_id,s.verdict_id FROM {0}.audit_finding s \
             LEFT JOIN {0}.verdict v USING (verdict_id) LEFT JOIN {0}.suppression p ON p.suppression_id=v.suppression \
             WHERE s.finding_id IN {1} AND (v.suppression IS NULL OR (p.expires_us>{now_us} AND p.revoked_us IS NULL))",
            schemas.guard,
            in_list(some.iter().copied())
        );
        all.extend(tx.query::<(String, String), _>(sql).await?);
    }
    Ok(all)
}

/// New ones, or said anew: standing id, rule, verdict id.
pub async fn insert_standing(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    new: &[(&str, &str, &str)],
    since_us: i64,
) -> mysql_async::Result<()> {
    for some in new.chunks(ROWS_PER_STATEMENT) {
        let mut sql = format!(
            "INSERT INTO {}.audit_finding (finding_id,rule,verdict_id,since_us) VALUES ",
            schemas.guard
        );
        for (at, (id, rule, verdict)) in some.iter().enumerate() {
            push_row(
                &mut sql,
                at == 0,
                &[
                    SqlLiteral::Text(id),
                    SqlLiteral::Text(rule),
                    SqlLiteral::Text(verdict),
                    SqlLiteral::Int(since_us),
                ],
            );
        }
        sql.push_str(
            " ON DUPLICATE KEY UPDATE verdict_id=VALUES(verdict_id),since_us=VALUES(since_us)",
        );
        tx.query_drop(sql).await?;
    }
    Ok(())
}

/// Forgets what a complete run did not see any more, but for rules that saw only a
/// part; returns how many rows that were. What a rule said that is not in the set any
/// more goes too: should it come back, it speaks anew. The table is as small as what
/// is wrong.
pub async fn forget_but(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    partial: &[String],
    seen: &HashSet<String>,
) -> mysql_async::Result<usize> {
    let stored: Vec<(String, String)> = tx
        .query(format!(
            "SELECT finding_id,rule FROM {}.audit_finding",
            schemas.guard
        ))
        .await?;
    let is_gone = |(id, rule): &&(String, String)| !seen.contains(id) && !partial.contains(rule);
    let gone: Vec<&str> = stored
        .iter()
        .filter(is_gone)
        .map(|(id, _)| id.as_str())
        .collect();
    for some in gone.chunks(ROWS_PER_STATEMENT) {
        let ids = in_list(some.iter().copied());
        tx.query_drop(format!(
            "DELETE FROM {}.audit_finding WHERE finding_id IN {ids}",
            schemas.guard
        ))
        .await?;
    }
    Ok(gone.len())
}
