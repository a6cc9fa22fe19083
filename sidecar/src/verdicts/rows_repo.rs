//! SQL of verdicts as people read them.

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, FromRowError, Row, params};
use rust_decimal::Decimal;
use serde::Serialize;
use sluice_contract::schema::Schemas;

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
    /// Of the request that it is about.
    pub correlation_id: Option<String>,
    /// Only of a single one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<serde_json::Value>,
}

const VERDICT_COLUMNS: &str = "verdict_id, rule, rule_hash, mode, outcome, position, item, account_id, breaker, message, \
                       found_us, set_version, amount, suppression, opened, correlation_id";

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
                correlation_id: row.take(15)?,
                detail: None,
            })
        };
        read().ok_or(wrong)
    }
}

/// Lists verdicts found after `after_us`, oldest first.
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

/// Finds one, with everything that is known of it.
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
