//! SQL of breakers.

pub use crate::breakers::rows_repo::{BreakerRow, find, list, list_open, open_counts};

use crate::breakers::rows_repo::list_of;
use crate::breakers::{BreakerMove, BreakerMoveResult};
use crate::guard_rows::GuardRows;
use mysql_async::prelude::Queryable;
use mysql_async::{Transaction, params};
use sluice_contract::breaker::{BreakerKey, BreakerState};
use sluice_contract::provenance::EffectField::{self, Int, Text};
use sluice_contract::provenance::optional_text;
use sluice_contract::schema::Schemas;
use std::collections::HashSet;

/// Keys per statement.
const KEYS_PER_STATEMENT: usize = 500;

/// Moves a breaker and writes down who and why, under its row's lock and at `at_us`, which
/// the seal tells (`SealState::time_of_move`).
pub async fn apply(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    rows: &GuardRows,
    wanted: &BreakerMove,
    at_us: i64,
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
    let row = fields(wanted, version, at_us);
    let values = |table| {
        params! {
            "mac" => rows.mac(table, &row),
            point, scope, key, version,
            "state" => wanted.to.as_str(),
            "verdict_id" => wanted.verdict_id.as_deref(),
            "reason" => wanted.reason.as_str(),
            "changed_by" => wanted.by.as_str(),
            at_us,
        }
    };
    let upsert = format!(
        "INSERT INTO {guard}.breaker (point, scope, scope_key, state, verdict_id, reason, changed_by, version, updated_us, mac) \
         VALUES (:point, :scope, :key, :state, :verdict_id, :reason, :changed_by, :version, :at_us, :mac) \
         ON DUPLICATE KEY UPDATE state = VALUES(state), verdict_id = VALUES(verdict_id), reason = VALUES(reason), \
         changed_by = VALUES(changed_by), version = VALUES(version), updated_us = VALUES(updated_us), mac = VALUES(mac)"
    );
    tx.exec_drop(upsert, values("breaker")).await?;
    let written_down = format!(
        "INSERT INTO {guard}.breaker_transition (point, scope, scope_key, version, state, verdict_id, reason, changed_by, changed_us, mac) \
         VALUES (:point, :scope, :key, :version, :state, :verdict_id, :reason, :changed_by, :at_us, :mac)"
    );
    tx.exec_drop(written_down, values("breaker_transition"))
        .await?;
    Ok(BreakerMoveResult::To(version))
}

/// Fields of a move as they are signed, in the breaker's row and in its history's.
fn fields(wanted: &BreakerMove, version: i64, at_us: i64) -> [EffectField<'_>; 9] {
    [
        Text(wanted.key.point.as_str().as_bytes()),
        Text(wanted.key.scope.as_str().as_bytes()),
        Text(wanted.key.key.as_bytes()),
        Int(version.into()),
        Text(wanted.to.as_str().as_bytes()),
        optional_text(wanted.verdict_id.as_deref()),
        Text(wanted.reason.as_bytes()),
        Text(wanted.by.as_bytes()),
        Int(at_us.into()),
    ]
}

/// Tells whether a person has ever closed a breaker, as the signed history says.
pub async fn was_closed<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    rows: &GuardRows,
    key: &BreakerKey,
) -> mysql_async::Result<bool> {
    const MAX_READ: u32 = 100;
    type ClosingColumns = (Option<String>, String, String, i64, i64, Option<String>);
    let sql = format!(
        "SELECT verdict_id, reason, changed_by, version, changed_us, mac FROM {}.breaker_transition \
         WHERE point = :point AND scope = :scope AND scope_key = :key AND state = 'closed' \
         AND changed_by <> 'sidecar' ORDER BY version DESC LIMIT {MAX_READ}",
        schemas.guard
    );
    let named = params! {
        "point" => key.point.as_str(), "scope" => key.scope.as_str(), "key" => &key.key,
    };
    let moves: Vec<ClosingColumns> = conn.exec(sql, named).await?;
    Ok(moves
        .into_iter()
        .any(|(verdict_id, reason, by, version, at_us, mac)| {
            let to = BreakerState::Closed;
            let moved = BreakerMove {
                key: key.clone(),
                to,
                verdict_id,
                reason,
                by,
                at_us,
            };
            let row = fields(&moved, version, at_us);
            rows.holds("breaker_transition", &row, mac.as_deref())
        }))
}

/// Reads a breaker's last move with its version, if a sidecar wrote the row; the caller holds
/// the seal's lock.
pub async fn last_move<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    rows: &GuardRows,
    key: &BreakerKey,
) -> mysql_async::Result<Option<(BreakerMove, i64)>> {
    type MoveColumns = (
        String,
        Option<String>,
        String,
        String,
        i64,
        i64,
        Option<String>,
    );
    let sql = format!(
        "SELECT state, verdict_id, reason, changed_by, version, updated_us, mac FROM {}.breaker \
         WHERE point = :point AND scope = :scope AND scope_key = :key",
        schemas.guard
    );
    let named = params! {
        "point" => key.point.as_str(), "scope" => key.scope.as_str(), "key" => &key.key,
    };
    let row: Option<MoveColumns> = conn.exec_first(sql, named).await?;
    let Some((state, verdict_id, reason, by, version, at_us, mac)) = row else {
        return Ok(None);
    };
    let Ok(to) = state.parse() else {
        return Ok(None);
    };
    let moved = BreakerMove {
        key: key.clone(),
        to,
        verdict_id,
        reason,
        by,
        at_us,
    };
    let is_ours = rows.holds("breaker", &fields(&moved, version, at_us), mac.as_deref());
    Ok(is_ours.then_some((moved, version)))
}

/// Reads those of `keys` that are open, as `point/scope/key`.
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
