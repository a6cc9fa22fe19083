//! SQL of rule sets. Lock order: the lease, suppressions,
//! the version in force, then breakers and verdicts (`leader/lease_repo.rs`).

use crate::workflow::{RuleSetMember, RuleSetVersion, RuleText, mode_of};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Transaction, params};
use serde::Serialize;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::in_list;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The one row of `rule_active`.
pub(super) const ACTIVE_ROW_NAME: &str = "rules";
/// Rows per statement; texts have up to 64 KiB each, packets at least 16 MiB.
pub(super) const ROWS_PER_STATEMENT: usize = 50;
/// Width of `reason`.
pub const MAX_REASON_CHARS: usize = 400;

/// A version as people read it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleSetSummary {
    pub version: i64,
    pub hash: String,
    /// The version whose content this is; itself unless it was taken back.
    pub content_of: i64,
    pub created_by: String,
    pub reason: String,
    pub created_us: i64,
}

/// The version in force; 0 if there is none yet.
pub async fn active<Q: Queryable>(conn: &mut Q, schemas: &Schemas) -> mysql_async::Result<i64> {
    let sql = format!(
        "SELECT version FROM {}.rule_active WHERE name = '{ACTIVE_ROW_NAME}'",
        schemas.guard
    );
    Ok(conn.query_first(sql).await?.unwrap_or(0))
}

/// As `active`, and nobody else makes another one before this transaction ends.
pub async fn lock_active(tx: &mut Transaction<'_>, schemas: &Schemas) -> mysql_async::Result<i64> {
    let sql = format!(
        "SELECT version FROM {}.rule_active WHERE name = '{ACTIVE_ROW_NAME}' FOR UPDATE",
        schemas.guard
    );
    Ok(tx.query_first(sql).await?.unwrap_or(0))
}

/// `None` if there is no such version.
pub async fn read<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    version: i64,
) -> anyhow::Result<Option<RuleSetVersion>> {
    let guard = &schemas.guard;
    let sql = format!(
        "SELECT rule, candidate, text_hash, mode, demoted, since_us FROM {guard}.rule_member WHERE version = :version"
    );
    type Row = (String, bool, String, String, bool, i64);
    let rows: Vec<Row> = conn.exec(sql, params! { version }).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let texts = texts_of(
        conn,
        schemas,
        rows.iter().map(|row| row.2.as_str()).collect(),
    )
    .await?;
    let mut members = Vec::new();
    for (rule, candidate, hash, mode, demoted, since_us) in rows {
        let text = texts.get(&hash).cloned();
        let text = text.filter(|t| t.hash == hash);
        let text = text.ok_or_else(|| {
            anyhow::anyhow!("set {version}: the text of {rule} is gone or was changed by hand")
        })?;
        let mode = mode_of(&mode)
            .ok_or_else(|| anyhow::anyhow!("set {version}: {rule} has the mode {mode:?}"))?;
        members.push(RuleSetMember {
            rule,
            text,
            mode,
            candidate,
            demoted,
            since_us,
        });
    }
    Ok(Some(RuleSetVersion::new(version, members)))
}

/// Texts by their hash.
async fn texts_of<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    hashes: Vec<&str>,
) -> mysql_async::Result<HashMap<String, Arc<RuleText>>> {
    let mut texts = HashMap::new();
    for some in hashes.chunks(ROWS_PER_STATEMENT) {
        let hashes = in_list(some.iter().copied());
        let sql = format!(
            "SELECT text_hash, rule, body, cases FROM {}.rule_text WHERE text_hash IN {hashes}",
            schemas.guard
        );
        let found: Vec<(String, String, String, String)> = conn.query(sql).await?;
        texts.extend(
            found.into_iter().map(|(hash, rule, body, cases)| {
                (hash, Arc::new(RuleText::new(&rule, body, cases)))
            }),
        );
    }
    Ok(texts)
}

/// The newest versions, newest first.
pub async fn heads(
    conn: &mut Conn,
    schemas: &Schemas,
    limit: i64,
) -> mysql_async::Result<Vec<RuleSetSummary>> {
    let sql = format!(
        "SELECT version, hash, content_of, created_by, reason, created_us FROM {}.rule_set \
         ORDER BY version DESC LIMIT {limit}",
        schemas.guard
    );
    conn.query_map(
        sql,
        |(version, hash, content_of, created_by, reason, created_us)| RuleSetSummary {
            version,
            hash,
            content_of,
            created_by,
            reason,
            created_us,
        },
    )
    .await
}

/// Mode of each of `rules` in the version in force, and since when; candidates left out.
pub async fn modes(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    version: i64,
    rules: &BTreeSet<&str>,
) -> mysql_async::Result<HashMap<String, (String, i64)>> {
    let named = in_list(rules.iter().copied());
    let sql = format!(
        "SELECT rule, mode, since_us FROM {}.rule_member WHERE version = {version} AND candidate = 0 AND rule IN {named}",
        schemas.guard
    );
    let rows: Vec<(String, String, i64)> = tx.query(sql).await?;
    Ok(rows
        .into_iter()
        .map(|(rule, mode, since_us)| (rule, (mode, since_us)))
        .collect())
}

/// The text of a rule that a verdict names by its hash.
pub async fn text(
    conn: &mut Conn,
    schemas: &Schemas,
    rule: &str,
    hash: &str,
) -> mysql_async::Result<Option<String>> {
    let sql = format!(
        "SELECT body FROM {}.rule_text WHERE rule = :rule AND rule_hash = :hash LIMIT 1",
        schemas.guard
    );
    conn.exec_first(sql, params! { rule, hash }).await
}
