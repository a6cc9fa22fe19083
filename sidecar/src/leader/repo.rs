//! SQL of the checkpoint and the lease. Lock order of every commit: lease, then
//! breakers by key, then verdicts, then checkpoint.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Transaction, params};
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{SqlLiteral, push_row};

/// The lease's row: one active sidecar per change stream.
const LEASE_NAME: &str = "sidecar";

/// A source's row in the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRow {
    pub source: String,
    pub position: String,
    pub replay_from: String,
}

/// Bytes of a position in one row. A longer one goes on in rows `source+1`, `source+2`…;
/// a part that is not full is the last, so that what an earlier, longer position left
/// behind it says nothing.
const POSITION_PART_BYTES: usize = 400;
/// Parts of a position at most: several thousand partitions.
const MAX_POSITION_PARTS: usize = 64;
/// Longest position that can be stored.
pub const MAX_POSITION_BYTES: usize = POSITION_PART_BYTES * (MAX_POSITION_PARTS - 1);

fn part_name(source: &str, part: usize) -> String {
    if part == 0 {
        source.to_owned()
    } else {
        format!("{source}+{part}")
    }
}

fn part(text: &str, part: usize) -> &str {
    // Positions are ASCII.
    text.get(part * POSITION_PART_BYTES..)
        .map_or("", |rest| rest.get(..POSITION_PART_BYTES).unwrap_or(rest))
}

pub async fn read_checkpoint(
    conn: &mut Conn,
    schemas: &Schemas,
    source: &str,
) -> anyhow::Result<Option<CheckpointRow>> {
    let sql = format!(
        "SELECT position, replay_from FROM {}.checkpoint WHERE source = :source",
        schemas.guard
    );
    let mut whole = CheckpointRow {
        source: source.to_owned(),
        position: String::new(),
        replay_from: String::new(),
    };
    for number in 0..MAX_POSITION_PARTS {
        let row: Option<(String, String)> = conn
            .exec_first(&sql, params! { "source" => part_name(source, number) })
            .await?;
        let Some((position, replay_from)) = row else {
            return if number == 0 {
                Ok(None)
            } else {
                Ok(Some(whole))
            };
        };
        let full = |text: &String| text.len() == number * POSITION_PART_BYTES;
        for (text, more) in [
            (&mut whole.position, position),
            (&mut whole.replay_from, replay_from),
        ] {
            if full(text) {
                text.push_str(&more);
            }
        }
        let goes_on = |text: &String| text.len() == (number + 1) * POSITION_PART_BYTES;
        if !goes_on(&whole.position) && !goes_on(&whole.replay_from) {
            break;
        }
    }
    Ok(Some(whole))
}

/// When a source's row was written last.
pub async fn committed_us(
    conn: &mut Conn,
    schemas: &Schemas,
    source: &str,
) -> mysql_async::Result<Option<i64>> {
    let sql = format!(
        "SELECT updated_us FROM {}.checkpoint WHERE source = :source",
        schemas.guard
    );
    conn.exec_first(sql, params! { source }).await
}

/// Writes all rows in one statement.
pub async fn write_checkpoint<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    rows: &[CheckpointRow],
    rules_hash: &str,
    now_us: i64,
) -> mysql_async::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut sql = format!(
        "INSERT INTO {}.checkpoint (source, position, replay_from, rules_hash, updated_us) VALUES ",
        schemas.guard
    );
    let mut first = true;
    for row in rows {
        let parts = row.position.len().max(row.replay_from.len()) / POSITION_PART_BYTES + 1;
        for number in 0..parts {
            let name = part_name(&row.source, number);
            let texts = [
                &name,
                part(&row.position, number),
                part(&row.replay_from, number),
            ]
            .map(SqlLiteral::Text);
            push_row(
                &mut sql,
                first,
                &[
                    texts[0],
                    texts[1],
                    texts[2],
                    SqlLiteral::Text(rules_hash),
                    SqlLiteral::Int(now_us),
                ],
            );
            first = false;
        }
    }
    sql.push_str(
        " ON DUPLICATE KEY UPDATE position = VALUES(position), replay_from = VALUES(replay_from), \
         rules_hash = VALUES(rules_hash), updated_us = VALUES(updated_us)",
    );
    conn.query_drop(sql).await
}

/// Who holds the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseHolder {
    pub owner: String,
    pub epoch: i64,
    pub expires_us: i64,
}

async fn holder(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
) -> mysql_async::Result<Option<LeaseHolder>> {
    let sql = format!(
        "SELECT owner, epoch, expires_us FROM {}.lease WHERE name = '{LEASE_NAME}' FOR UPDATE",
        schemas.guard
    );
    let row: Option<(String, i64, i64)> = tx.query_first(sql).await?;
    Ok(row.map(|(owner, epoch, expires_us)| LeaseHolder {
        owner,
        epoch,
        expires_us,
    }))
}

async fn put(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    owner: &str,
    epoch: i64,
    expires_us: i64,
) -> mysql_async::Result<()> {
    let sql = format!(
        "INSERT INTO {}.lease (name, owner, epoch, expires_us) VALUES ('{LEASE_NAME}', :owner, :epoch, :expires_us) \
         ON DUPLICATE KEY UPDATE owner = VALUES(owner), epoch = VALUES(epoch), expires_us = VALUES(expires_us)",
        schemas.guard
    );
    tx.exec_drop(sql, params! { owner, epoch, expires_us })
        .await
}

/// Takes the lease if it is free, has run out, or is of our own earlier life (killed,
/// and started again under its name). `Ok(Err(holder))` if not.
pub async fn acquire(
    conn: &mut Conn,
    schemas: &Schemas,
    owner: &str,
    now_us: i64,
    ttl_us: i64,
) -> mysql_async::Result<Result<i64, LeaseHolder>> {
    reacquire(conn, schemas, (owner, 0), now_us, ttl_us).await
}

/// The same, once this process reigned in `epoch` (0: it did not yet). A later one under
/// our name is of another process that was given the same: it is left alone, or each would
/// depose the other for ever.
pub async fn reacquire(
    conn: &mut Conn,
    schemas: &Schemas,
    (owner, epoch): (&str, i64),
    now_us: i64,
    ttl_us: i64,
) -> mysql_async::Result<Result<i64, LeaseHolder>> {
    let first = format!(
        "INSERT IGNORE INTO {}.lease (name, owner, epoch, expires_us) VALUES ('{LEASE_NAME}', '', 0, 0)",
        schemas.guard
    );
    conn.query_drop(first).await?;
    let mut tx = conn
        .start_transaction(mysql_async::TxOpts::default())
        .await?;
    let held = holder(&mut tx, schemas).await?;
    let ours = |held: &LeaseHolder| held.owner == owner && (epoch == 0 || held.epoch <= epoch);
    if let Some(held) = held
        .clone()
        .filter(|held| held.expires_us > now_us && !ours(held))
    {
        tx.rollback().await?;
        return Ok(Err(held));
    }
    let epoch = held.map_or(0, |h| h.epoch) + 1;
    put(&mut tx, schemas, owner, epoch, now_us + ttl_us).await?;
    tx.commit().await?;
    Ok(Ok(epoch))
}

/// Locks the lease's row and renews it. `false` if another epoch began: whoever
/// calls is deposed and must not commit.
pub async fn renew(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    owner: &str,
    epoch: i64,
    expires_us: i64,
) -> mysql_async::Result<bool> {
    let ours = holder(tx, schemas)
        .await?
        .is_some_and(|h| h.owner == owner && h.epoch == epoch);
    if ours {
        put(tx, schemas, owner, epoch, expires_us).await?;
    }
    Ok(ours)
}

/// Lets a standby take over at once.
pub async fn release(
    conn: &mut Conn,
    schemas: &Schemas,
    owner: &str,
    epoch: i64,
) -> mysql_async::Result<()> {
    let sql = format!(
        "UPDATE {}.lease SET expires_us = 0 WHERE name = '{LEASE_NAME}' AND owner = :owner AND epoch = :epoch",
        schemas.guard
    );
    let named: Params = params! { owner, epoch };
    conn.exec_drop(sql, named).await
}

/// How long a lease lasts without being renewed; every commit renews it.
pub const LEASE_TTL_US: i64 = 5_000_000;
