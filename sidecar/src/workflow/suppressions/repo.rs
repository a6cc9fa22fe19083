//! SQL of suppressions.

use crate::workflow::suppressions::{MAX_SUPPRESSIONS, Suppression};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Transaction, params};
use rust_decimal::Decimal;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::in_list;
use std::collections::BTreeSet;

const SUPPRESSION_COLUMNS: &str = "suppression_id, rule, finding_key, reason, author, amount_cap, amount_used, hits, \
                           created_us, expires_us, revoked_us";

type SuppressionRow = (
    String,
    String,
    String,
    String,
    String,
    Decimal,
    Decimal,
    u64,
    i64,
    i64,
    Option<i64>,
);

fn suppression(row: SuppressionRow) -> Suppression {
    let (
        id,
        rule,
        key,
        reason,
        author,
        amount_cap,
        amount_used,
        hits,
        created_us,
        expires_us,
        revoked_us,
    ) = row;
    Suppression {
        id,
        rule,
        key,
        reason,
        author,
        amount_cap,
        amount_used,
        hits,
        created_us,
        expires_us,
        revoked_us,
    }
}

/// Suppressions in force of these rules, locked: two commits must not use one up twice.
pub async fn suppressions_of(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    rules: &BTreeSet<&str>,
    now_us: i64,
) -> mysql_async::Result<Vec<Suppression>> {
    let sql = format!(
        "SELECT {SUPPRESSION_COLUMNS} FROM {}.suppression WHERE rule IN {} AND expires_us > {now_us} AND revoked_us IS NULL \
         ORDER BY suppression_id FOR UPDATE",
        schemas.guard,
        in_list(rules.iter().copied())
    );
    tx.query_map(sql, suppression).await
}

/// Hits and amount as `one` has them now.
pub async fn count_suppressed(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    one: &Suppression,
    hits: u64,
) -> mysql_async::Result<()> {
    let sql = format!(
        "UPDATE {}.suppression SET hits = hits + :hits, amount_used = :used WHERE suppression_id = :id",
        schemas.guard
    );
    tx.exec_drop(
        sql,
        params! { hits, "used" => one.amount_used, "id" => &one.id },
    )
    .await
}

/// All that are in force, then the newest of the others.
pub async fn suppressions(
    conn: &mut Conn,
    schemas: &Schemas,
    now_us: i64,
) -> mysql_async::Result<Vec<Suppression>> {
    let sql = format!(
        "SELECT {SUPPRESSION_COLUMNS} FROM {}.suppression \
         ORDER BY (expires_us > {now_us} AND revoked_us IS NULL) DESC, created_us DESC LIMIT {}",
        schemas.guard, MAX_SUPPRESSIONS
    );
    conn.query_map(sql, suppression).await
}

pub async fn suppress(
    conn: &mut Conn,
    schemas: &Schemas,
    s: &Suppression,
) -> mysql_async::Result<()> {
    let sql = format!(
        "INSERT INTO {}.suppression (suppression_id, rule, finding_key, reason, author, amount_cap, amount_used, \
         hits, created_us, expires_us) VALUES (:id, :rule, :key, :reason, :author, :cap, 0, 0, :created_us, :expires_us)",
        schemas.guard
    );
    let named = params! {
        "id" => &s.id, "rule" => &s.rule, "key" => &s.key, "reason" => &s.reason, "author" => &s.author,
        "cap" => s.amount_cap, "created_us" => s.created_us, "expires_us" => s.expires_us,
    };
    conn.exec_drop(sql, named).await
}

/// `false` if there is none in force of this id.
pub async fn revoke(
    conn: &mut Conn,
    schemas: &Schemas,
    id: &str,
    by: &str,
    now_us: i64,
) -> mysql_async::Result<bool> {
    let sql = format!(
        "UPDATE {}.suppression SET revoked_us = :now_us, revoked_by = :by \
         WHERE suppression_id = :id AND revoked_us IS NULL AND expires_us > :now_us",
        schemas.guard
    );
    conn.exec_drop(sql, params! { id, by, now_us }).await?;
    Ok(conn.affected_rows() > 0)
}
