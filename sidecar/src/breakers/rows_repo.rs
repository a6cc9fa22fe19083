//! SQL of breakers as people read them.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use serde::Serialize;
use sluice_contract::breaker::BreakerKey;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{SqlLiteral, push_row};

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

/// Lists all breakers that are or were open; at most `limit`, open ones first.
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

/// Lists every breaker that is open.
pub async fn list_open(conn: &mut Conn, schemas: &Schemas) -> mysql_async::Result<Vec<BreakerRow>> {
    let sql = format!(
        "SELECT point, scope, scope_key, state, verdict_id, reason, changed_by, version, updated_us \
         FROM {}.breaker WHERE state = 'open'",
        schemas.guard
    );
    read(conn, sql).await
}

/// Reads those of `keys` that there are; a few.
pub async fn find<Q: Queryable>(
    conn: &mut Q,
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

async fn read<Q: Queryable>(conn: &mut Q, sql: String) -> mysql_async::Result<Vec<BreakerRow>> {
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

/// Counts open breakers per point.
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

/// Writes keys as rows of an `IN` list.
pub(super) fn list_of<'a>(keys: impl Iterator<Item = &'a BreakerKey>) -> String {
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
