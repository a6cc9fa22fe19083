//! SQL of the seal.

use crate::guard_rows::GuardRows;
use mysql_async::params;
use mysql_async::prelude::Queryable;
use sluice_contract::breaker::SealedBreaker;
use sluice_contract::provenance::EffectField::{Int, Text};
use sluice_contract::schema::Schemas;

/// The one row's name.
const NAME: &str = "breakers";

/// The seal beside what it must fit, of one moment.
pub(super) struct StoredSeal {
    /// Version and MAC.
    pub seal: Option<(i64, String)>,
    pub open: Vec<SealedBreaker>,
    /// When the newest move was written down, or the newest acceptance; 0 without any.
    pub moved_us: i64,
}

/// Locks the seal's row, and makes it if there is none (version 0, which seals nothing):
/// every move goes through it. An INSERT that finds the row would share its lock with
/// another mover's, and then neither could have it alone.
pub(super) async fn lock(conn: &mut impl Queryable, schemas: &Schemas) -> mysql_async::Result<()> {
    let guard = &schemas.guard;
    let lock = format!("SELECT version FROM {guard}.breaker_seal WHERE name='{NAME}' FOR UPDATE");
    if conn.query_first::<i64, _>(&lock).await?.is_some() {
        return Ok(());
    }
    let make = format!(
        "INSERT IGNORE INTO {guard}.breaker_seal (name, version, seal, updated_us) VALUES ('{NAME}', 0, '', 0)"
    );
    conn.query_drop(make).await?;
    conn.query_drop(lock).await
}

/// Reads seal, open breakers and the time of the newest move, but for those after
/// `latest_us`, in one statement: of one moment, without a lock.
pub(super) async fn read(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    latest_us: i64,
) -> mysql_async::Result<StoredSeal> {
    let guard = &schemas.guard;
    let sql = format!(
        "SELECT point, scope, scope_key, version, '' AS seal FROM {guard}.breaker WHERE state <> 'closed' \
         UNION ALL SELECT '', 'seal', '', version, seal FROM {guard}.breaker_seal WHERE name = '{NAME}' \
         UNION ALL (SELECT '', 'move', '', changed_us, '' FROM {guard}.breaker_transition FORCE INDEX (by_time) \
         WHERE changed_us <= {latest_us} ORDER BY changed_us DESC LIMIT 1)"
    );
    let mut stored = StoredSeal {
        seal: None,
        open: Vec::new(),
        moved_us: 0,
    };
    let rows: Vec<(String, String, String, i64, String)> = conn.query(sql).await?;
    for (point, scope, key, version, seal) in rows {
        match (point.is_empty(), scope.as_str()) {
            (true, "seal") => {
                stored.seal = Some((version, seal)).filter(|(version, _)| *version > 0)
            }
            (true, "move") => stored.moved_us = version,
            _ => stored.open.push(SealedBreaker {
                point,
                scope,
                key,
                version,
            }),
        }
    }
    Ok(stored)
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
    rows: &GuardRows,
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
    let texts = ["-", "seal", "*", "sealed", "", reason, by];
    let [point, scope, key, state, none, why, whom] = texts.map(|text| Text(text.as_bytes()));
    let (version, changed) = (Int(number.into()), Int(at_us.into()));
    let row = [point, scope, key, version, state, none, why, whom, changed];
    let mac = rows.mac("breaker_transition", &row);
    let sql = format!(
        "INSERT INTO {history} (point, scope, scope_key, version, state, verdict_id, reason, changed_by, changed_us, mac) \
         VALUES ('-', 'seal', '*', :number, 'sealed', NULL, :reason, :by, :at_us, :mac)"
    );
    conn.exec_drop(sql, params! { number, reason, by, at_us, mac })
        .await
}
