//! SQL of breakers.

use crate::breakers::{BreakerMove, BreakerMoveResult};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Transaction, params};
use serde::Serialize;
use sluice_contract::breaker::{BreakerKey, BreakerState};
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{SqlLiteral, push_row};
use std::collections::HashSet;

/// Keys per statement.
const KEYS_PER_STATEMENT: usize = 500;

/// Moves a breaker and writes down who and why, under its row's lock.
pub async fn apply(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    wanted: &BreakerMove,
) -> mysql_async::Result<BreakerMoveResult> {
    let guard = &schemas.guard;
    let (point, scope, key) = (
        wanted.key.point.as_str(),
        wanted.key.scope.as_str(),
        wanted.key.key.as_str(),
    );
    let sql = format!(
        "SELECT state, version FROM {guard}.breaker WHERE point = :point AND scope = :scope AND scope_key = :key FOR UPDATE"
    );
    let now: Option<(String, i64)> = tx.exec_first(sql, params! { point, scope, key }).await?;
    let state = now
        .as_ref()
        .map_or(BreakerState::Closed.as_str(), |(state, _)| state);
    if state == wanted.to.as_str() {
        return Ok(BreakerMoveResult::AlreadyThere);
    }
    let version = now.map_or(0, |(_, version)| version) + 1;
    let values = params! {
        point, scope, key, version,
        "state" => wanted.to.as_str(),
        "verdict_id" => wanted.verdict_id.as_deref(),
        "reason" => wanted.reason.as_str(),
        "changed_by" => wanted.by.as_str(),
        "at_us" => wanted.at_us,
    };
    let upsert = format!(
        "INSERT INTO {guard}.breaker (point, scope, scope_key, state, verdict_id, reason, changed_by, version, updated_us) \
         VALUES (:point, :scope, :key, :state, :verdict_id, :reason, :changed_by, :version, :at_us) \
         ON DUPLICATE KEY UPDATE state = VALUES(state), verdict_id = VALUES(verdict_id), reason = VALUES(reason), \
         changed_by = VALUES(changed_by), version = VALUES(version), updated_us = VALUES(updated_us)"
    );
    tx.exec_drop(upsert, values.clone()).await?;
    let written_down = format!(
        "INSERT INTO {guard}.breaker_transition (point, scope, scope_key, version, state, verdict_id, reason, changed_by, changed_us) \
         VALUES (:point, :scope, :key, :version, :state, :verdict_id, :reason, :changed_by, :at_us)"
    );
    tx.exec_drop(written_down, values).await?;
    Ok(BreakerMoveResult::To(version))
}

/// A breaker as people read it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerRow {
    pub point: String,
    pub scope: String,
    pub key: String,
    pub state: String,
    pub verdict_id: Option<String>,
    pub reason: String,
    pub changed_by: String,
    pub version: i64,
    pub updated_us: i64,
}

/// All breakers that are or were open; at most `limit`, open ones first.
pub async fn list(
    conn: &mut Conn,
    schemas: &Schemas,
    limit: u32,
) -> mysql_async::Result<Vec<BreakerRow>> {
    let sql = format!(
        "SELECT point, scope, scope_key, state, verdict_id, reason, changed_by, version, updated_us \
         FROM {}.breaker ORDER BY (state = 'open') DESC, updated_us DESC LIMIT {limit}",
        schemas.guard
    );
    read(conn, sql).await
}

/// Those of `keys` that there are; a few.
pub async fn find(
    conn: &mut Conn,
    schemas: &Schemas,
    keys: &[BreakerKey],
) -> mysql_async::Result<Vec<BreakerRow>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT point, scope, scope_key, state, verdict_id, reason, changed_by, version, updated_us \
         FROM {}.breaker WHERE (point, scope, scope_key) IN ({})",
        schemas.guard,
        list_of(keys.iter())
    );
    read(conn, sql).await
}

fn list_of<'a>(keys: impl Iterator<Item = &'a BreakerKey>) -> String {
    let mut list = String::new();
    for (at, key) in keys.enumerate() {
        push_row(
            &mut list,
            at == 0,
            &[key.point.as_str(), key.scope.as_str(), key.key.as_str()].map(SqlLiteral::Text),
        );
    }
    list
}

async fn read(conn: &mut Conn, sql: String) -> mysql_async::Result<Vec<BreakerRow>> {
    conn.query_map(
        sql,
        |(point, scope, key, state, verdict_id, reason, changed_by, version, updated_us)| {
            BreakerRow {
                point,
                scope,
                key,
                state,
                verdict_id,
                reason,
                changed_by,
                version,
                updated_us,
            }
        },
    )
    .await
}

/// Those of `keys` that are open, as `point/scope/key`.
pub async fn open_among<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    keys: &[&BreakerKey],
) -> mysql_async::Result<HashSet<String>> {
    let mut open = HashSet::new();
    for some in keys.chunks(KEYS_PER_STATEMENT) {
        let list = list_of(some.iter().copied());
        let sql = format!(
            "SELECT CONCAT(point, '/', scope, '/', scope_key) FROM {}.breaker \
             WHERE (point, scope, scope_key) IN ({list}) AND state = 'open'",
            schemas.guard
        );
        open.extend(conn.query::<String, _>(sql).await?);
    }
    Ok(open)
}

/// Open breakers per point.
pub async fn open_counts(
    conn: &mut Conn,
    schemas: &Schemas,
) -> mysql_async::Result<Vec<(String, i64)>> {
    let sql = format!(
        "SELECT point, COUNT(*) FROM {}.breaker WHERE state = 'open' GROUP BY point",
        schemas.guard
    );
    conn.query(sql).await
}
