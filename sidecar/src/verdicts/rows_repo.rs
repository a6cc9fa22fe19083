//! SQL of verdicts as people read them.

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, FromRowError, Params, Row, Value, params};
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
    /// Of the rule that found it; empty of one from before it was written down.
    pub severity: String,
    /// `open` until somebody answers it.
    pub life: String,
    pub answered_us: Option<i64>,
    pub answered_by: Option<String>,
    pub answer: Option<String>,
    /// The breaker's reset that answered it, with the version that it closed.
    pub answered_with: Option<String>,
    /// Only of a single one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<serde_json::Value>,
}

const VERDICT_COLUMNS: &str = "verdict_id, rule, rule_hash, mode, outcome, position, item, account_id, breaker, message, \
                       found_us, set_version, amount, suppression, opened, correlation_id, \
                       severity, life, answered_us, answered_by, answer, answered_with";

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
                severity: row.take(16)?,
                life: row.take(17)?,
                answered_us: row.take(18)?,
                answered_by: row.take(19)?,
                answer: row.take(20)?,
                answered_with: row.take(21)?,
                detail: None,
            })
        };
        read().ok_or(wrong)
    }
}

/// Filter of a list of verdicts; what is None does not filter.
#[derive(Debug, Clone, Default)]
pub struct VerdictFilter {
    /// The place after which the list begins: the time and id of the last one of the page
    /// before.
    pub after: (i64, String),
    pub life: Option<&'static str>,
    pub rule: Option<String>,
    pub account: Option<String>,
    pub severity: Option<&'static str>,
}

impl VerdictFilter {
    /// The index that reads the list in its order, by the column that leaves fewest.
    fn index(&self) -> &'static str {
        match self {
            VerdictFilter {
                account: Some(_), ..
            } => "by_account_time",
            VerdictFilter { rule: Some(_), .. } => "by_rule_time",
            VerdictFilter { life: Some(_), .. } => "by_life",
            VerdictFilter {
                severity: Some(_), ..
            } => "by_severity",
            VerdictFilter { .. } => "by_time",
        }
    }

    fn columns(&self) -> [(&'static str, Option<&str>); 4] {
        [
            ("life", self.life),
            ("rule", self.rule.as_deref()),
            ("account_id", self.account.as_deref()),
            ("severity", self.severity),
        ]
    }
}

/// Lists a page of verdicts, oldest first.
pub async fn list(
    conn: &mut Conn,
    schemas: &Schemas,
    filter: &VerdictFilter,
    limit: u32,
) -> mysql_async::Result<Vec<VerdictRow>> {
    let (after_us, after_id) = &filter.after;
    let mut sql = format!(
        "SELECT {VERDICT_COLUMNS} FROM {}.verdict FORCE INDEX ({}) WHERE found_us >= :after_us \
         AND (found_us > :after_us OR verdict_id > :after_id)",
        schemas.guard,
        filter.index()
    );
    let mut values: Vec<(&str, Value)> = vec![
        ("after_us", (*after_us).into()),
        ("after_id", after_id.as_str().into()),
    ];
    for (column, wanted) in filter.columns() {
        if let Some(wanted) = wanted {
            sql += &format!(" AND {column} = :{column}");
            values.push((column, wanted.into()));
        }
    }
    sql += &format!(" ORDER BY found_us, verdict_id LIMIT {limit}");
    conn.exec(sql, Params::from(values)).await
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
