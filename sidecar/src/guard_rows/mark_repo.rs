//! SQL of the mark.

use crate::guard_rows::mark::{GuardMark, MARK_NAME};
use mysql_async::prelude::Queryable;
use mysql_async::{Params, params};
use sluice_contract::schema::Schemas;

/// Reads the mark and its MAC.
pub(super) async fn read(
    conn: &mut impl Queryable,
    schemas: &Schemas,
) -> mysql_async::Result<Option<(GuardMark, String)>> {
    let sql = format!(
        "SELECT version, position, unsigned_month, sealed_by, sealed_us, mac FROM {}.guard_seal WHERE name = '{MARK_NAME}'",
        schemas.guard
    );
    type MarkColumns = (i64, String, String, String, i64, String);
    let row: Option<MarkColumns> = conn.query_first(sql).await?;
    Ok(row.map(
        |(version, position, unsigned_month, sealed_by, sealed_us, mac)| {
            let mark = GuardMark {
                version,
                position,
                unsigned_month,
                sealed_by,
                sealed_us,
            };
            (mark, mac)
        },
    ))
}

/// Locks the mark until the transaction ends; its version.
pub(super) async fn lock(
    conn: &mut impl Queryable,
    schemas: &Schemas,
) -> mysql_async::Result<Option<i64>> {
    let sql = format!(
        "SELECT version FROM {}.guard_seal WHERE name = '{MARK_NAME}' FOR UPDATE",
        schemas.guard
    );
    conn.query_first(sql).await
}

/// Tells whether a sidecar has ever led here: each seals the breakers when it begins, and
/// writes down the stretch before its first start.
pub(super) async fn has_history(
    conn: &mut impl Queryable,
    schemas: &Schemas,
) -> mysql_async::Result<bool> {
    let guard = &schemas.guard;
    let sql = format!(
        "SELECT EXISTS(SELECT 1 FROM {guard}.breaker_seal WHERE version > 0) OR EXISTS(SELECT 1 FROM {guard}.gap) \
         OR EXISTS(SELECT 1 FROM {guard}.checkpoint) OR EXISTS(SELECT 1 FROM {guard}.breaker_transition)"
    );
    Ok(conn.query_first(sql).await?.unwrap_or(false))
}

fn values(mark: &GuardMark, mac: &str) -> Params {
    params! {
        "name" => MARK_NAME,
        "version" => mark.version,
        "position" => &mark.position,
        "month" => &mark.unsigned_month,
        "by" => &mark.sealed_by,
        "at_us" => mark.sealed_us,
        mac,
    }
}

/// Writes the first mark; another sidecar's that came first stays.
pub(super) async fn insert_first(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    (mark, mac): (&GuardMark, &str),
) -> mysql_async::Result<()> {
    let sql = format!(
        "INSERT IGNORE INTO {}.guard_seal (name, version, position, unsigned_month, sealed_by, sealed_us, mac) \
         VALUES (:name, :version, :position, :month, :by, :at_us, :mac)",
        schemas.guard
    );
    conn.exec_drop(sql, values(mark, mac)).await
}

/// Writes a mark over the one before.
pub(super) async fn write(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    (mark, mac): (&GuardMark, &str),
) -> mysql_async::Result<()> {
    let sql = format!(
        "INSERT INTO {}.guard_seal (name, version, position, unsigned_month, sealed_by, sealed_us, mac) \
         VALUES (:name, :version, :position, :month, :by, :at_us, :mac) \
         ON DUPLICATE KEY UPDATE version = VALUES(version), position = VALUES(position), \
         unsigned_month = VALUES(unsigned_month), sealed_by = VALUES(sealed_by), sealed_us = VALUES(sealed_us), \
         mac = VALUES(mac)",
        schemas.guard
    );
    conn.exec_drop(sql, values(mark, mac)).await
}
