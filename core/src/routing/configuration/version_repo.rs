//! SQL on `route_version`, `route_active` and `route_activation`: versions, and which of
//! them is in force.

use crate::orders::OrderSeals;
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_contract::provenance::EffectField::{self, Int, Text};
use sluice_contract::provenance::guard_mac;
use sluice_contract::settings::Secret;
use sluice_contract::sql::Conn;

/// Author and reason of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingVersionRow {
    pub version: i64,
    pub author: String,
    pub reason: String,
    pub hash: String,
    pub created_us: i64,
}

/// A version put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingActivationRow {
    pub epoch: i64,
    pub version: i64,
    pub previous: i64,
    pub author: String,
    pub reason: String,
    pub activated_us: i64,
}

/// The version in force; 0 if none ever was.
pub async fn active_version(conn: &mut impl Queryable) -> anyhow::Result<i64> {
    let found: Option<i64> = conn
        .query_first("SELECT version FROM route_active WHERE name='active'")
        .await?;
    Ok(found.unwrap_or(0))
}

/// Name of the row of what is in force.
const ACTIVE_ROW: &str = "active";

/// Fields of that row as they are signed: version, epoch, time.
fn active_fields(version: i64, epoch: i64, updated_us: i64) -> [EffectField<'static>; 4] {
    let numbers = [version, epoch, updated_us].map(|number| Int(number.into()));
    let [version, epoch, updated] = numbers;
    [Text(ACTIVE_ROW.as_bytes()), version, epoch, updated]
}

/// The version in force, 0 if none ever was, and whether an operator put it in force. One
/// that is gone although there was one is not.
pub async fn signed_active_version(
    conn: &mut impl Queryable,
    seals: &OrderSeals,
) -> anyhow::Result<(i64, bool)> {
    type ActiveColumns = (i64, i64, i64, Option<String>);
    let found: Option<ActiveColumns> = conn
        .query_first("SELECT version,epoch,updated_us,mac FROM route_active WHERE name='active'")
        .await?;
    let is_required = seals.signed_since().is_required();
    let Some((version, epoch, updated_us, mac)) = found else {
        let ever = is_required && latest_activation(conn).await? > 0;
        return Ok((0, !ever));
    };
    let row = active_fields(version, epoch, updated_us);
    let signed = || mac.is_some_and(|mac| seals.is_signed_row("route_active", &row, &mac));
    Ok((version, !is_required || signed()))
}

async fn latest_activation(conn: &mut impl Queryable) -> anyhow::Result<i64> {
    let found: Option<Option<i64>> = conn
        .query_first("SELECT MAX(epoch) FROM route_activation")
        .await?;
    Ok(found.flatten().unwrap_or(0))
}

/// The row of what is in force, locked until the transaction ends: who changes the
/// routing waits for whoever else does. Epoch and version.
pub async fn lock_active(conn: &mut impl Queryable, key: &Secret) -> anyhow::Result<(i64, i64)> {
    let first = "INSERT INTO route_active (name,version,epoch,updated_us,mac) VALUES ('active',0,0,0,?) \
                 ON DUPLICATE KEY UPDATE name=name";
    let mac = guard_mac(key, "route_active", &active_fields(0, 0, 0));
    conn.exec_drop(first, (mac,)).await?;
    let locked = conn
        .query_first("SELECT epoch,version FROM route_active WHERE name='active' FOR UPDATE")
        .await?;
    locked.context("route_active has no row")
}

/// Puts a version in force, if `from` (epoch, version) still is; signed, so that cores believe
/// it.
pub async fn activate(
    conn: &mut Conn,
    from: (i64, i64),
    row: &RoutingActivationRow,
    key: &Secret,
) -> anyhow::Result<()> {
    let update = "UPDATE route_active SET version=?,epoch=?,updated_us=?,mac=? WHERE name='active' AND epoch=?";
    let active = active_fields(row.version, row.epoch, row.activated_us);
    let mac = guard_mac(key, "route_active", &active);
    let values = (row.version, row.epoch, row.activated_us, mac, from.0);
    conn.exec_drop(update, values).await?;
    ensure!(
        conn.affected_rows() == 1,
        "another change came first: look at it, then try again"
    );
    let log = "INSERT INTO route_activation (epoch,version,previous,author,reason,activated_us,mac) VALUES (?,?,?,?,?,?,?)";
    let [epoch, version, previous, at_us] =
        [row.epoch, row.version, from.1, row.activated_us].map(|number| Int(number.into()));
    let texts = [&row.author, &row.reason].map(|text| Text(text.as_bytes()));
    let activation = [epoch, version, previous, texts[0], texts[1], at_us];
    let mac = guard_mac(key, "route_activation", &activation);
    conn.exec_drop(
        log,
        (
            row.epoch,
            row.version,
            from.1,
            &row.author,
            &row.reason,
            row.activated_us,
            mac,
        ),
    )
    .await?;
    Ok(())
}

/// Number of the newest version; 0 if there is none.
pub async fn latest_version(conn: &mut impl Queryable) -> anyhow::Result<i64> {
    let found: Option<Option<i64>> = conn
        .query_first("SELECT MAX(version) FROM route_version")
        .await?;
    Ok(found.flatten().unwrap_or(0))
}

/// Every version, oldest first.
pub async fn versions(conn: &mut impl Queryable) -> anyhow::Result<Vec<RoutingVersionRow>> {
    let rows: Vec<(i64, String, String, String, i64)> = conn
        .query("SELECT version,author,reason,hash,created_us FROM route_version ORDER BY version")
        .await?;
    let make = |(version, author, reason, hash, created_us)| RoutingVersionRow {
        version,
        author,
        reason,
        hash,
        created_us,
    };
    Ok(rows.into_iter().map(make).collect())
}

/// Every activation, oldest first.
pub async fn activations(conn: &mut impl Queryable) -> anyhow::Result<Vec<RoutingActivationRow>> {
    let sql = "SELECT epoch,version,previous,author,reason,activated_us FROM route_activation ORDER BY epoch";
    let rows: Vec<(i64, i64, i64, String, String, i64)> = conn.query(sql).await?;
    let make = |(epoch, version, previous, author, reason, activated_us)| RoutingActivationRow {
        epoch,
        version,
        previous,
        author,
        reason,
        activated_us,
    };
    Ok(rows.into_iter().map(make).collect())
}
