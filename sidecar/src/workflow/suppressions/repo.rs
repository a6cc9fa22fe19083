//! SQL of suppressions.

use crate::guard_rows::GuardRows;
use crate::workflow::suppressions::{MAX_SUPPRESSIONS, Suppression};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Transaction, TxOpts, params};
use rust_decimal::Decimal;
use sluice_contract::money::column_units;
use sluice_contract::provenance::EffectField::{self, Int, Text};
use sluice_contract::provenance::optional_text;
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

/// Fields of a suppression as they are signed.
fn fields<'a>(s: &'a Suppression, revoked_by: Option<&'a str>) -> [EffectField<'a>; 12] {
    // A cap has the column's decimals, or its row would not have been written.
    let units = |amount| Int(column_units(amount).unwrap_or(-1));
    [
        Text(s.id.as_bytes()),
        Text(s.rule.as_bytes()),
        Text(s.key.as_bytes()),
        Text(s.reason.as_bytes()),
        Text(s.author.as_bytes()),
        units(s.amount_cap),
        units(s.amount_used),
        Int(s.hits.into()),
        Int(s.created_us.into()),
        Int(s.expires_us.into()),
        s.revoked_us.map_or(Text(b""), |at_us| Int(at_us.into())),
        optional_text(revoked_by),
    ]
}

/// A row with its MAC.
type SignedSuppressionRow = (
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
    Option<String>,
);

fn signed_suppression(row: SignedSuppressionRow) -> (Suppression, Option<String>) {
    let (id, rule, key, reason, author, cap, used, hits, created, expires, revoked, mac) = row;
    let columns = (
        id, rule, key, reason, author, cap, used, hits, created, expires, revoked,
    );
    (suppression(columns), mac)
}

/// Suppressions in force of these rules, locked: two commits must not use one up twice. One
/// that no sidecar wrote suppresses nothing.
pub async fn suppressions_of(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    signed: &GuardRows,
    rules: &BTreeSet<&str>,
    now_us: i64,
) -> mysql_async::Result<Vec<Suppression>> {
    let sql = format!(
        "SELECT {SUPPRESSION_COLUMNS}, mac FROM {}.suppression WHERE rule IN {} AND expires_us > {now_us} AND revoked_us IS NULL \
         ORDER BY suppression_id FOR UPDATE",
        schemas.guard,
        in_list(rules.iter().copied())
    );
    let mut found = tx.query_map(sql, signed_suppression).await?;
    found.retain(|(one, mac)| {
        let holds = signed.holds("suppression", &fields(one, None), mac.as_deref());
        if !holds {
            tracing::error!(
                id = one.id,
                rule = one.rule,
                "a suppression that no sidecar wrote suppresses nothing"
            );
        }
        holds
    });
    Ok(found.into_iter().map(|(one, _)| one).collect())
}

/// Signs those that are in force as they are, for a person who has looked at each.
pub async fn accept(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    signed: &GuardRows,
    now_us: i64,
) -> mysql_async::Result<()> {
    let table = format!("{}.suppression", schemas.guard);
    let sql = format!(
        "SELECT {SUPPRESSION_COLUMNS}, mac FROM {table} WHERE expires_us > {now_us} AND revoked_us IS NULL \
         ORDER BY suppression_id LIMIT {MAX_SUPPRESSIONS} FOR UPDATE"
    );
    for (one, _) in tx.query_map(sql, signed_suppression).await? {
        let mac = signed.mac("suppression", &fields(&one, None));
        let sql = format!("UPDATE {table} SET mac = :mac WHERE suppression_id = :id");
        tx.exec_drop(sql, params! { mac, "id" => &one.id }).await?;
    }
    Ok(())
}

/// Hits and amount as `one` has them now, locked before.
pub async fn count_suppressed(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    signed: &GuardRows,
    one: &Suppression,
    hits: u64,
) -> mysql_async::Result<()> {
    let sql = format!(
        "UPDATE {}.suppression SET hits = :hits, amount_used = :used, mac = :mac WHERE suppression_id = :id",
        schemas.guard
    );
    let counted = Suppression {
        hits: one.hits.saturating_add(hits),
        // As the column keeps it.
        amount_used: one.amount_used.round_dp(4),
        ..one.clone()
    };
    let mac = signed.mac("suppression", &fields(&counted, None));
    tx.exec_drop(
        sql,
        params! { mac, "hits" => counted.hits, "used" => counted.amount_used, "id" => &one.id },
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
    signed: &GuardRows,
    s: &Suppression,
) -> mysql_async::Result<()> {
    let sql = format!(
        "INSERT INTO {}.suppression (suppression_id, rule, finding_key, reason, author, amount_cap, amount_used, \
         hits, created_us, expires_us, mac) VALUES (:id, :rule, :key, :reason, :author, :cap, 0, 0, :created_us, :expires_us, :mac)",
        schemas.guard
    );
    let named = params! {
        "mac" => signed.mac("suppression", &fields(s, None)),
        "id" => &s.id, "rule" => &s.rule, "key" => &s.key, "reason" => &s.reason, "author" => &s.author,
        "cap" => s.amount_cap, "created_us" => s.created_us, "expires_us" => s.expires_us,
    };
    conn.exec_drop(sql, named).await
}

/// `false` if there is none in force of this id.
pub async fn revoke(
    conn: &mut Conn,
    schemas: &Schemas,
    signed: &GuardRows,
    id: &str,
    (by, now_us): (&str, i64),
) -> mysql_async::Result<bool> {
    let table = format!("{}.suppression", schemas.guard);
    let find = format!(
        "SELECT {SUPPRESSION_COLUMNS}, mac FROM {table} WHERE suppression_id = :id AND revoked_us IS NULL \
         AND expires_us > :now_us FOR UPDATE"
    );
    let mut tx = conn.start_transaction(TxOpts::default()).await?;
    let found = tx.exec_first(find, params! { id, now_us }).await?;
    let Some((mut one, _)) = found.map(signed_suppression) else {
        tx.rollback().await?;
        return Ok(false);
    };
    one.revoked_us = Some(now_us);
    let mac = signed.mac("suppression", &fields(&one, Some(by)));
    let sql = format!(
        "UPDATE {table} SET revoked_us = :now_us, revoked_by = :by, mac = :mac WHERE suppression_id = :id"
    );
    tx.exec_drop(sql, params! { id, by, now_us, mac }).await?;
    tx.commit().await?;
    Ok(true)
}
