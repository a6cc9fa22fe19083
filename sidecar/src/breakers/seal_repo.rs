//! SQL of the seal.

use mysql_async::params;
use mysql_async::prelude::Queryable;
use sluice_contract::breaker::SealedBreaker;
use sluice_contract::schema::Schemas;

/// The one row's name.
const NAME: &str = "breakers";

/// The seal beside what it must fit, of one moment.
pub(super) struct StoredSeal {
    /// Version and MAC.
    pub seal: Option<(i64, String)>,
    pub open: Vec<SealedBreaker>,
}

/// Locks the seal's row, and makes it if there is none (version 0, which seals nothing):
/// every move goes through it.
pub(super) async fn lock(conn: &mut impl Queryable, schemas: &Schemas) -> mysql_async::Result<()> {
    let make = format!(
        "INSERT IGNORE INTO {}.breaker_seal (name, version, seal, updated_us) VALUES ('{NAME}', 0, '', 0)",
        schemas.guard
    );
    conn.query_drop(make).await?;
    let sql = format!(
        "SELECT version FROM {}.breaker_seal WHERE name = '{NAME}' FOR UPDATE",
        schemas.guard
    );
    conn.query_drop(sql).await
}

/// Reads seal and open breakers in one statement: of one moment, without a lock.
pub(super) async fn read(
    conn: &mut impl Queryable,
    schemas: &Schemas,
) -> mysql_async::Result<StoredSeal> {
    let guard = &schemas.guard;
    let sql = format!(
        "SELECT point, scope, scope_key, version, '' AS seal FROM {guard}.breaker WHERE state <> 'closed' \
         UNION ALL SELECT '', '', '', version, seal FROM {guard}.breaker_seal WHERE name = '{NAME}'"
    );
    let mut stored = StoredSeal {
        seal: None,
        open: Vec::new(),
    };
    let rows: Vec<(String, String, String, i64, String)> = conn.query(sql).await?;
    for (point, scope, key, version, seal) in rows {
        match point.is_empty() {
            true => stored.seal = Some((version, seal)).filter(|(version, _)| *version > 0),
            false => stored.open.push(SealedBreaker {
                point,
                scope,
                key,
                version,
            }),
        }
    }
    Ok(stored)
}

/// Tells whether the breakers are where their history left them, since a person last
/// vouched for them: the history can only be added to.
pub(super) async fn fits_history(
    conn: &mut impl Queryable,
    schemas: &Schemas,
) -> mysql_async::Result<bool> {
    let guard = &schemas.guard;
    let accepted: Option<Option<i64>> = conn
        .query_first(format!(
            "SELECT MAX(changed_us) FROM {guard}.breaker_transition WHERE scope = 'seal'"
        ))
        .await?;
    let sql = format!(
        "SELECT COUNT(*) FROM {guard}.breaker_transition t LEFT JOIN {guard}.breaker b \
         ON b.point = t.point AND b.scope = t.scope AND b.scope_key = t.scope_key \
         WHERE t.scope <> 'seal' AND t.changed_us > ? \
         AND (b.version IS NULL OR t.version > b.version OR (t.version = b.version AND t.state <> b.state))"
    );
    let lost: Option<u64> = conn
        .exec_first(sql, (accepted.flatten().unwrap_or(0),))
        .await?;
    Ok(lost.unwrap_or(0) == 0)
}

/// Writes the seal.
pub(super) async fn write(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    version: i64,
    seal: &str,
    at_us: i64,
) -> mysql_async::Result<()> {
    let sql = format!(
        "INSERT INTO {}.breaker_seal (name, version, seal, updated_us) VALUES ('{NAME}', :version, :seal, :at_us) \
         ON DUPLICATE KEY UPDATE version = VALUES(version), seal = VALUES(seal), updated_us = VALUES(updated_us)",
        schemas.guard
    );
    conn.exec_drop(sql, params! { version, seal, at_us }).await
}

/// Writes down who sealed the breakers as they are. Its number counts such acts; the seal's
/// own version would not fit the column.
pub(super) async fn insert_acceptance(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    (by, reason): (&str, &str),
    at_us: i64,
) -> mysql_async::Result<()> {
    let history = format!("{}.breaker_transition", schemas.guard);
    let last: Option<Option<i32>> = conn
        .query_first(format!(
            "SELECT MAX(version) FROM {history} WHERE point = '-' AND scope = 'seal'"
        ))
        .await?;
    let number = last.flatten().unwrap_or(0) + 1;
    let sql = format!(
        "INSERT INTO {history} (point, scope, scope_key, version, state, verdict_id, reason, changed_by, changed_us) \
         VALUES ('-', 'seal', '*', :number, 'sealed', NULL, :reason, :by, :at_us)"
    );
    conn.exec_drop(sql, params! { number, reason, by, at_us })
        .await
}
