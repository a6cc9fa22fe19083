//! SQL of the leader lease: one row, whose epoch rises with each leadership. Lock order
//! of every commit: lease, then breakers by key, then verdicts, then checkpoint.

use crate::guard_rows::GuardRows;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Transaction, params};
use sluice_contract::provenance::EffectField::{self, Int, Text};
use sluice_contract::schema::Schemas;

/// Row of the lease: one active sidecar per change stream.
const LEASE_NAME: &str = "sidecar";
/// Life of a lease that is not renewed, in µs; every commit renews it.
pub const LEASE_TTL_US: i64 = 5_000_000;
/// `expires_us` of a lease that was given up; it can be taken, but never renewed.
const RELEASED_US: i64 = 0;

/// Holder of the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseHolder {
    pub owner: String,
    pub epoch: i64,
    pub expires_us: i64,
}

/// Fields of the lease's row as they are signed.
fn fields(owner: &str, epoch: i64, expires_us: i64) -> [EffectField<'_>; 4] {
    [
        Text(LEASE_NAME.as_bytes()),
        Text(owner.as_bytes()),
        Int(epoch.into()),
        Int(expires_us.into()),
    ]
}

fn mac(signed: &GuardRows, owner: &str, epoch: i64, expires_us: i64) -> String {
    signed.mac("lease", &fields(owner, epoch, expires_us))
}

/// Locks and reads the row. One that no sidecar wrote is nobody's: its epoch still counts, so
/// that the next leadership's is higher.
async fn holder(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    signed: &GuardRows,
) -> mysql_async::Result<Option<LeaseHolder>> {
    let sql = format!(
        "SELECT owner, epoch, expires_us, mac FROM {}.lease WHERE name = '{LEASE_NAME}' FOR UPDATE",
        schemas.guard
    );
    type LeaseColumns = (String, i64, i64, Option<String>);
    let row: Option<LeaseColumns> = tx.query_first(sql).await?;
    Ok(row.map(|(owner, epoch, expires_us, mac)| {
        let holds = signed.holds("lease", &fields(&owner, epoch, expires_us), mac.as_deref());
        if !holds {
            tracing::error!(
                owner,
                epoch,
                "no sidecar wrote this lease: it holds nobody off"
            );
        }
        LeaseHolder {
            owner: if holds { owner } else { String::new() },
            epoch,
            expires_us: if holds { expires_us } else { RELEASED_US },
        }
    }))
}

async fn put(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    signed: &GuardRows,
    (owner, epoch): (&str, i64),
    expires_us: i64,
) -> mysql_async::Result<()> {
    let sql = format!(
        "INSERT INTO {}.lease (name, owner, epoch, expires_us, mac) \
         VALUES ('{LEASE_NAME}', :owner, :epoch, :expires_us, :mac) \
         ON DUPLICATE KEY UPDATE owner = VALUES(owner), epoch = VALUES(epoch), expires_us = VALUES(expires_us), \
         mac = VALUES(mac)",
        schemas.guard
    );
    let mac = mac(signed, owner, epoch, expires_us);
    tx.exec_drop(sql, params! { owner, epoch, expires_us, mac })
        .await
}

/// Takes the lease if it is free, has run out, or is of our own earlier life (killed,
/// and started again under its name). `Ok(Err(holder))` if not.
pub async fn acquire(
    conn: &mut Conn,
    schemas: &Schemas,
    signed: &GuardRows,
    owner: &str,
    now_us: i64,
    ttl_us: i64,
) -> mysql_async::Result<Result<i64, LeaseHolder>> {
    reacquire(conn, schemas, signed, (owner, 0), now_us, ttl_us).await
}

/// Takes the lease as `acquire` does, once this process led in `epoch` (0: it did not yet). A
/// later one under our name is of another process that was given the same: it is left alone,
/// or each would depose the other for ever.
pub async fn reacquire(
    conn: &mut Conn,
    schemas: &Schemas,
    signed: &GuardRows,
    (owner, epoch): (&str, i64),
    now_us: i64,
    ttl_us: i64,
) -> mysql_async::Result<Result<i64, LeaseHolder>> {
    let first = format!(
        "INSERT IGNORE INTO {}.lease (name, owner, epoch, expires_us, mac) \
         VALUES ('{LEASE_NAME}', '', 0, {RELEASED_US}, :mac)",
        schemas.guard
    );
    let mac = mac(signed, "", 0, RELEASED_US);
    conn.exec_drop(first, params! { mac }).await?;
    let mut tx = conn
        .start_transaction(mysql_async::TxOpts::default())
        .await?;
    let held = holder(&mut tx, schemas, signed).await?;
    let ours = |held: &LeaseHolder| held.owner == owner && (epoch == 0 || held.epoch <= epoch);
    if let Some(held) = held
        .clone()
        .filter(|held| held.expires_us > now_us && !ours(held))
    {
        tx.rollback().await?;
        return Ok(Err(held));
    }
    let epoch = held.map_or(0, |h| h.epoch) + 1;
    put(&mut tx, schemas, signed, (owner, epoch), now_us + ttl_us).await?;
    tx.commit().await?;
    Ok(Ok(epoch))
}

/// Locks the lease's row and renews it. `false` if another epoch began or the lease was
/// given up: the caller is no leader any more and must not commit.
pub async fn renew(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    signed: &GuardRows,
    (owner, epoch): (&str, i64),
    expires_us: i64,
) -> mysql_async::Result<bool> {
    let ours = holder(tx, schemas, signed)
        .await?
        .is_some_and(|h| h.owner == owner && h.epoch == epoch && h.expires_us > RELEASED_US);
    if ours {
        put(tx, schemas, signed, (owner, epoch), expires_us).await?;
    }
    Ok(ours)
}

/// Tells whether the lease is of this owner and epoch, without a lock: for work that is as
/// harmless done twice.
pub async fn is_held<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    owner: &str,
    epoch: i64,
) -> mysql_async::Result<bool> {
    let sql = format!(
        "SELECT 1 FROM {}.lease WHERE name = '{LEASE_NAME}' AND owner = :owner AND epoch = :epoch \
         AND expires_us > {RELEASED_US}",
        schemas.guard
    );
    let held: Option<i64> = conn.exec_first(sql, params! { owner, epoch }).await?;
    Ok(held.is_some())
}

/// Gives the lease up, so that a standby takes over at once and no late commit renews it.
pub async fn release(
    conn: &mut Conn,
    schemas: &Schemas,
    signed: &GuardRows,
    owner: &str,
    epoch: i64,
) -> mysql_async::Result<()> {
    let sql = format!(
        "UPDATE {}.lease SET expires_us = {RELEASED_US}, mac = :mac \
         WHERE name = '{LEASE_NAME}' AND owner = :owner AND epoch = :epoch",
        schemas.guard
    );
    let mac = mac(signed, owner, epoch, RELEASED_US);
    let named: Params = params! { owner, epoch, mac };
    conn.exec_drop(sql, named).await
}
