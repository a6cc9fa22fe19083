//! SQL that puts a rule set in force.

use crate::guard_rows::GuardRows;
use crate::workflow::repo::{ACTIVE_ROW_NAME, ROWS_PER_STATEMENT, RuleSetSummary, lock_active};
use crate::workflow::{MAX_KEPT_SETS, RuleSetMember, RuleSetVersion, signed_rows_repo};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Transaction, TxOpts, params};
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{SqlLiteral, in_list, push_row};

/// Author and reason of a version.
pub struct PublishReason<'a> {
    pub by: &'a str,
    pub reason: &'a str,
    pub content_of: Option<i64>,
    pub at_us: i64,
}

/// The row that is locked must exist.
pub async fn prepare(
    conn: &mut Conn,
    schemas: &Schemas,
    signed: &GuardRows,
) -> mysql_async::Result<()> {
    let sql = format!(
        "INSERT IGNORE INTO {}.rule_active (name, version, updated_us, mac) VALUES ('{ACTIVE_ROW_NAME}', 0, 0, :mac)",
        schemas.guard
    );
    let mac = signed.mac("rule_active", &signed_rows_repo::active_fields(0, 0));
    conn.exec_drop(sql, params! { mac }).await
}

/// Puts `set` in force if `set.version - 1` is; `false`, with nothing written, if
/// somebody else was first. The caller's transaction.
pub async fn publish(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    signed: &GuardRows,
    set: &RuleSetVersion,
    why: &PublishReason<'_>,
) -> anyhow::Result<bool> {
    if lock_active(tx, schemas).await? != set.version - 1 {
        return Ok(false);
    }
    // What somebody else wrote must not become genuine by being built upon.
    if signed.is_sealed() && set.version > 1 {
        signed_rows_repo::read_whole(tx, schemas, signed, set.version - 1).await?;
    }
    let guard = &schemas.guard;
    let (version, at_us) = (set.version, why.at_us);
    let row = RuleSetSummary {
        version,
        hash: set.hash(),
        content_of: why.content_of.unwrap_or(version),
        created_by: why.by.to_owned(),
        reason: why.reason.to_owned(),
        created_us: at_us,
    };
    let named = params! {
        version, at_us,
        "mac" => signed.mac("rule_set", &signed_rows_repo::set_fields(&row)),
        "hash" => row.hash.as_str(),
        "content_of" => row.content_of,
        "by" => why.by,
        "reason" => why.reason,
    };
    let sql = format!(
        "INSERT INTO {guard}.rule_set (version, hash, content_of, created_by, reason, created_us, mac) \
         VALUES (:version, :hash, :content_of, :by, :reason, :at_us, :mac)"
    );
    tx.exec_drop(sql, named).await?;
    put_texts(tx, guard, set).await?;
    put_members(tx, guard, signed, set).await?;
    let sql = format!(
        "UPDATE {guard}.rule_active SET version = :version, updated_us = :at_us, mac = :mac WHERE name = '{ACTIVE_ROW_NAME}'"
    );
    let mac = signed.mac(
        "rule_active",
        &signed_rows_repo::active_fields(version, at_us),
    );
    tx.exec_drop(sql, params! { version, at_us, mac }).await?;
    // Verdicts name version and text; what a set held is kept for as long as it can be had back.
    let sql = format!("DELETE FROM {guard}.rule_member WHERE version < :oldest");
    tx.exec_drop(sql, params! { "oldest" => version - 2 * MAX_KEPT_SETS })
        .await?;
    Ok(true)
}

/// `publish` in a transaction of its own.
pub async fn put_in_force(
    conn: &mut Conn,
    schemas: &Schemas,
    signed: &GuardRows,
    set: &RuleSetVersion,
    why: &PublishReason<'_>,
) -> anyhow::Result<bool> {
    prepare(conn, schemas, signed).await?;
    let mut tx = conn.start_transaction(TxOpts::default()).await?;
    let done = publish(&mut tx, schemas, signed, set, why).await?;
    if done {
        tx.commit().await?
    } else {
        tx.rollback().await?
    }
    Ok(done)
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
    signed: &GuardRows,
    set: &RuleSetVersion,
) -> mysql_async::Result<()> {
    let mut sql = format!(
        "INSERT INTO {guard}.rule_member (version, rule, candidate, text_hash, mode, demoted, since_us, mac) VALUES "
    );
    for (at, m) in set.members.iter().enumerate() {
        let text = m.text.hash.as_str();
        let row = (
            set.version,
            &*m.rule,
            m.candidate,
            text,
            m.mode.as_str(),
            m.demoted,
        );
        let mac = signed.mac(
            "rule_member",
            &signed_rows_repo::member_fields(row, m.since_us),
        );
        let row = [
            SqlLiteral::Int(set.version),
            SqlLiteral::Text(&m.rule),
            SqlLiteral::Int(i64::from(m.candidate)),
            SqlLiteral::Text(&m.text.hash),
            SqlLiteral::Text(m.mode.as_str()),
            SqlLiteral::Int(i64::from(m.demoted)),
            SqlLiteral::Int(m.since_us),
            SqlLiteral::Text(&mac),
        ];
        push_row(&mut sql, at == 0, &row);
    }
    tx.query_drop(sql).await
}
