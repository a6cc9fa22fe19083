//! Rows of the guard as a sidecar writes them, signed with the key of the committers that
//! tests make themselves; and a core's token, signed with a daemon's.
#![allow(dead_code)] // Each test file uses its part.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Result, Transaction};
use sluice_contract::provenance::EffectField::{Int, Text};
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use sluice_sidecar::guard_rows::GuardRows;
use sluice_sidecar::leader::checkpoint_repo::{self, CheckpointRow};
use sluice_sidecar::leader::lease_repo::{self, LeaseHolder};
use sluice_sidecar::workflow::RuleSetVersion;
use sluice_sidecar::workflow::publish_repo::{self, PublishReason};
use sluice_sidecar::workflow::suppressions::{Suppression, repo as suppressions_repo};

pub fn guard_rows() -> GuardRows {
    GuardRows::new(Secret::new("0123456789abcdef"))
}

type Acquired = Result<std::result::Result<i64, LeaseHolder>>;

pub async fn acquire(conn: &mut Conn, all: &Schemas, owner: &str, now: i64, ttl: i64) -> Acquired {
    lease_repo::acquire(conn, all, &guard_rows(), owner, now, ttl).await
}

pub async fn reacquire(
    conn: &mut Conn,
    all: &Schemas,
    us: (&str, i64),
    now: i64,
    ttl: i64,
) -> Acquired {
    lease_repo::reacquire(conn, all, &guard_rows(), us, now, ttl).await
}

pub async fn release(conn: &mut Conn, all: &Schemas, owner: &str, epoch: i64) -> Result<()> {
    lease_repo::release(conn, all, &guard_rows(), owner, epoch).await
}

pub async fn renew(
    tx: &mut Transaction<'_>,
    all: &Schemas,
    owner: &str,
    epoch: i64,
    until_us: i64,
) -> Result<bool> {
    lease_repo::renew(tx, all, &guard_rows(), (owner, epoch), until_us).await
}

pub async fn read_checkpoint(
    conn: &mut Conn,
    all: &Schemas,
    source: &str,
) -> anyhow::Result<Option<CheckpointRow>> {
    checkpoint_repo::read_checkpoint(conn, all, &guard_rows(), source).await
}

pub async fn write_checkpoint(
    conn: &mut Conn,
    all: &Schemas,
    rows: &[CheckpointRow],
    hash: &str,
    now: i64,
) -> Result<()> {
    checkpoint_repo::write_checkpoint(conn, all, &guard_rows(), (rows, hash, now)).await
}

pub async fn put_in_force(
    conn: &mut Conn,
    all: &Schemas,
    set: &RuleSetVersion,
    why: &PublishReason<'_>,
) -> anyhow::Result<bool> {
    publish_repo::put_in_force(conn, all, &guard_rows(), set, why).await
}

pub async fn suppress(conn: &mut Conn, all: &Schemas, one: &Suppression) -> Result<()> {
    suppressions_repo::suppress(conn, all, &guard_rows(), one).await
}

pub async fn revoke(conn: &mut Conn, all: &Schemas, id: &str, by: &str, now: i64) -> Result<bool> {
    suppressions_repo::revoke(conn, all, &guard_rows(), id, (by, now)).await
}

/// Writes a core's token as a core does, signed with `key`.
pub async fn raise_token(conn: &mut Conn, (instance, key): (&str, &str), token: u64) -> Result<()> {
    let at_us = sluice_contract::clock::now_us();
    let row = [
        Text(instance.as_bytes()),
        Int(token.into()),
        Int(at_us.into()),
    ];
    let mac = GuardRows::new(Secret::new(key)).mac("fence_token", &row);
    let sql = "INSERT INTO t_guard.fence_token (instance,token,updated_us,mac) VALUES (?,?,?,?) \
               ON DUPLICATE KEY UPDATE token=VALUES(token), updated_us=VALUES(updated_us), mac=VALUES(mac)";
    conn.exec_drop(sql, (instance, token, at_us, mac)).await
}
