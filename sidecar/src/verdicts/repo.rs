//! SQL of verdicts.

use crate::verdicts::Verdict;
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, FromRowError, Row, params};
use rust_decimal::Decimal;
use serde::Serialize;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{SqlLiteral, in_list, push_row};
use std::collections::HashSet;

/// Rows per statement: with their details well below any server's packet limit.
const ROWS_PER_STATEMENT: usize = 50;

/// Ids of those that are recorded already, under their own id or the one of before. The
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
             breaker, message, found_us, set_version, amount, detail, suppression, opened) VALUES ",
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
pub struct VerdictRow {
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
    pub set_version: i64,
    pub amount: Option<Decimal>,
    pub suppression: Option<String>,
    /// Breakers that it moved.
    pub opened: i64,
    /// Only of a single one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<serde_json::Value>,
}

const VERDICT_COLUMNS: &str = "verdict_id, rule, rule_hash, mode, outcome, position, item, account_id, breaker, message, \
                       found_us, set_version, amount, suppression, opened";

impl FromRow for VerdictRow {
    fn from_row_opt(mut row: Row) -> Result<Self, FromRowError> {
        let wrong = FromRowError(row.clone());
        let mut read = || {
            Some(VerdictRow {
                verdict_id: row.take(0)?,
                rule: row.take(1)?,
                rule_hash: row.take(2)?,
                mode: row.take(3)?,
                outcome: row.take(4)?,
                position: row.take(5)?,
                item: row.take(6)?,
                account_id: row.take(7)?,
                breaker: row.take(8)?,
                message: row.take(9)?,
                found_us: row.take(10)?,
                set_version: row.take(11)?,
                amount: row.take(12)?,
                suppression: row.take(13)?,
                opened: row.take(14)?,
                detail: None,
            })
        };
        read().ok_or(wrong)
    }
}

/// Verdicts found after `after_us`, oldest first.
pub async fn list(
    conn: &mut Conn,
    schemas: &Schemas,
    after_us: i64,
    limit: u32,
) -> mysql_async::Result<Vec<VerdictRow>> {
    let sql = format!(
        "SELECT {VERDICT_COLUMNS} FROM {}.verdict WHERE found_us > :after_us ORDER BY found_us, verdict_id LIMIT {limit}",
        schemas.guard
    );
    conn.exec(sql, params! { after_us }).await
}

/// One with everything that is known of it.
pub async fn find(
    conn: &mut Conn,
    schemas: &Schemas,
    id: &str,
) -> mysql_async::Result<Option<VerdictRow>> {
    let guard = &schemas.guard;
    let sql = format!("SELECT {VERDICT_COLUMNS} FROM {guard}.verdict WHERE verdict_id = :id");
    let Some(mut listed): Option<VerdictRow> = conn.exec_first(sql, params! { id }).await? else {
        return Ok(None);
    };
    let sql = format!("SELECT detail FROM {guard}.verdict WHERE verdict_id = :id");
    let detail: Option<Option<String>> = conn.exec_first(sql, params! { id }).await?;
    listed.detail = detail
        .flatten()
        .and_then(|text| serde_json::from_str(&text).ok());
    Ok(Some(listed))
}
