//! SQL of rule sets and proposals. Lock order: the lease, suppressions,
//! the version in force, then breakers and verdicts (`pipeline/repo.rs`).

use crate::rules::UNKNOWN_ITEM;
use crate::workflow::promotion_rules::{PromotionProposal, RuleActivity};
use crate::workflow::{MAX_KEPT_SETS, RuleSetMember, RuleSetVersion, RuleText, mode_of};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Transaction, TxOpts, params};
use serde::Serialize;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{SqlLiteral, in_list, push_row};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The one row of `rule_active`.
const ACTIVE_ROW_NAME: &str = "rules";
/// Rows per statement; texts have up to 64 KiB each, packets at least 16 MiB.
const ROWS_PER_STATEMENT: usize = 50;
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

/// Who makes a version and why.
pub struct PublishReason<'a> {
    pub by: &'a str,
    pub reason: &'a str,
    pub content_of: Option<i64>,
    pub at_us: i64,
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
    let mut texts: HashMap<String, Arc<RuleText>> = HashMap::new();
    for some in rows.chunks(ROWS_PER_STATEMENT) {
        let hashes = in_list(some.iter().map(|row| row.2.as_str()));
        let sql = format!(
            "SELECT text_hash, rule, body, cases FROM {guard}.rule_text WHERE text_hash IN {hashes}"
        );
        let found: Vec<(String, String, String, String)> = conn.query(sql).await?;
        texts.extend(
            found.into_iter().map(|(hash, rule, body, cases)| {
                (hash, Arc::new(RuleText::new(&rule, body, cases)))
            }),
        );
    }
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

/// The row that is locked must exist.
pub async fn prepare(conn: &mut Conn, schemas: &Schemas) -> mysql_async::Result<()> {
    let sql = format!(
        "INSERT IGNORE INTO {}.rule_active (name, version, updated_us) VALUES ('{ACTIVE_ROW_NAME}', 0, 0)",
        schemas.guard
    );
    conn.query_drop(sql).await
}

/// Puts `set` in force if `set.version - 1` is; `false`, with nothing written, if
/// somebody else was first. The caller's transaction.
pub async fn publish(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    set: &RuleSetVersion,
    why: &PublishReason<'_>,
) -> mysql_async::Result<bool> {
    if lock_active(tx, schemas).await? != set.version - 1 {
        return Ok(false);
    }
    let guard = &schemas.guard;
    let (version, at_us) = (set.version, why.at_us);
    let named = params! {
        version, at_us,
        "hash" => set.hash(),
        "content_of" => why.content_of.unwrap_or(version),
        "by" => why.by,
        "reason" => why.reason,
    };
    let sql = format!(
        "INSERT INTO {guard}.rule_set (version, hash, content_of, created_by, reason, created_us) \
         VALUES (:version, :hash, :content_of, :by, :reason, :at_us)"
    );
    tx.exec_drop(sql, named).await?;
    put_texts(tx, guard, set).await?;
    put_members(tx, guard, set).await?;
    let sql = format!(
        "UPDATE {guard}.rule_active SET version = :version, updated_us = :at_us WHERE name = '{ACTIVE_ROW_NAME}'"
    );
    tx.exec_drop(sql, params! { version, at_us }).await?;
    // Verdicts name version and text; what a set held is kept for as long as it can be had back.
    let sql = format!("DELETE FROM {guard}.rule_member WHERE version < :oldest");
    tx.exec_drop(sql, params! { "oldest" => version - 2 * MAX_KEPT_SETS })
        .await?;
    Ok(true)
}

async fn put_texts(
    tx: &mut Transaction<'_>,
    guard: &str,
    set: &RuleSetVersion,
) -> mysql_async::Result<()> {
    let hashes = in_list(set.members.iter().map(|m| m.text.hash.as_str()));
    let known: Vec<String> = tx
        .query(format!(
            "SELECT text_hash FROM {guard}.rule_text WHERE text_hash IN {hashes}"
        ))
        .await?;
    let new: Vec<&RuleSetMember> = set
        .members
        .iter()
        .filter(|m| !known.contains(&m.text.hash))
        .collect();
    for some in new.chunks(ROWS_PER_STATEMENT) {
        let mut sql = format!(
            "INSERT IGNORE INTO {guard}.rule_text (text_hash, rule, rule_hash, body, cases) VALUES "
        );
        for (at, m) in some.iter().enumerate() {
            let row = [
                &m.text.hash,
                &m.rule,
                &m.text.rule_hash,
                &m.text.body,
                &m.text.cases,
            ]
            .map(|t| SqlLiteral::Text(t));
            push_row(&mut sql, at == 0, &row);
        }
        tx.query_drop(sql).await?;
    }
    Ok(())
}

async fn put_members(
    tx: &mut Transaction<'_>,
    guard: &str,
    set: &RuleSetVersion,
) -> mysql_async::Result<()> {
    let mut sql = format!(
        "INSERT INTO {guard}.rule_member (version, rule, candidate, text_hash, mode, demoted, since_us) VALUES "
    );
    for (at, m) in set.members.iter().enumerate() {
        let row = [
            SqlLiteral::Int(set.version),
            SqlLiteral::Text(&m.rule),
            SqlLiteral::Int(i64::from(m.candidate)),
            SqlLiteral::Text(&m.text.hash),
            SqlLiteral::Text(m.mode.as_str()),
            SqlLiteral::Int(i64::from(m.demoted)),
            SqlLiteral::Int(m.since_us),
        ];
        push_row(&mut sql, at == 0, &row);
    }
    tx.query_drop(sql).await
}

/// `publish` in a transaction of its own.
pub async fn put_in_force(
    conn: &mut Conn,
    schemas: &Schemas,
    set: &RuleSetVersion,
    why: &PublishReason<'_>,
) -> mysql_async::Result<bool> {
    prepare(conn, schemas).await?;
    let mut tx = conn.start_transaction(TxOpts::default()).await?;
    let done = publish(&mut tx, schemas, set, why).await?;
    if done {
        tx.commit().await?
    } else {
        tx.rollback().await?
    }
    Ok(done)
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

/// What was last taken over from the folder: hashes of texts by rule.
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

/// What each version of each rule found since then, by rule and hash. What was not known
/// yet, as with a pair rule that has just begun, is neither a finding nor an error.
pub async fn seen<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    since_us: i64,
) -> mysql_async::Result<HashMap<(String, String), RuleActivity>> {
    let sql = format!(
        "SELECT rule, rule_hash, outcome, COUNT(*) FROM {}.verdict WHERE found_us > :since_us \
         AND NOT (outcome = 'undetermined' AND item = '{UNKNOWN_ITEM}') GROUP BY rule, rule_hash, outcome",
        schemas.guard
    );
    let rows: Vec<(String, String, String, u64)> = conn.exec(sql, params! { since_us }).await?;
    let mut seen: HashMap<(String, String), RuleActivity> = HashMap::new();
    for (rule, hash, outcome, count) in rows {
        let of = seen.entry((rule, hash)).or_default();
        if outcome == "violation" {
            of.findings += count
        } else {
            of.errors += count
        }
    }
    Ok(seen)
}

pub async fn proposals(
    conn: &mut Conn,
    schemas: &Schemas,
    now_us: i64,
) -> mysql_async::Result<Vec<PromotionProposal>> {
    let sql = format!(
        "SELECT rule, rule_hash, step, proposed_by, reason, created_us, expires_us FROM {}.rule_proposal \
         WHERE expires_us > :now_us ORDER BY rule",
        schemas.guard
    );
    let make =
        |(rule, rule_hash, step, proposed_by, reason, created_us, expires_us)| PromotionProposal {
            rule,
            rule_hash,
            step,
            proposed_by,
            reason,
            created_us,
            expires_us,
        };
    conn.exec_map(sql, params! { now_us }, make).await
}

/// Stores a proposal in the place of an older one.
pub async fn propose(
    conn: &mut Conn,
    schemas: &Schemas,
    p: &PromotionProposal,
) -> mysql_async::Result<()> {
    let sql = format!(
        "INSERT INTO {}.rule_proposal (rule, rule_hash, step, proposed_by, reason, created_us, expires_us) \
         VALUES (:rule, :rule_hash, :step, :proposed_by, :reason, :created_us, :expires_us) \
         ON DUPLICATE KEY UPDATE rule_hash = VALUES(rule_hash), step = VALUES(step), \
         proposed_by = VALUES(proposed_by), reason = VALUES(reason), created_us = VALUES(created_us), \
         expires_us = VALUES(expires_us)",
        schemas.guard
    );
    let named = params! {
        "rule" => &p.rule, "rule_hash" => &p.rule_hash, "step" => &p.step, "proposed_by" => &p.proposed_by,
        "reason" => &p.reason, "created_us" => p.created_us, "expires_us" => p.expires_us,
    };
    conn.exec_drop(sql, named).await
}

/// It was carried out, or the text that it was for is gone.
pub async fn forget_proposal(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    rule: &str,
) -> mysql_async::Result<()> {
    let sql = format!(
        "DELETE FROM {}.rule_proposal WHERE rule = :rule",
        schemas.guard
    );
    tx.exec_drop(sql, params! { rule }).await
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
