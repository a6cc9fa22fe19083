//! Breakers and their moves. Rules open them; only a person closes one on money.

pub mod repo;
mod rows_repo;
pub mod seal;
mod seal_repo;

use crate::breakers::seal::{BreakerSeal, SealState};
use mysql_async::{Conn, Transaction, TxOpts};
use sluice_contract::breaker::{BreakerKey, BreakerState};
use sluice_contract::schema::Schemas;

/// A move, by whom and why.
#[derive(Debug, Clone)]
pub struct BreakerMove {
    pub key: BreakerKey,
    pub to: BreakerState,
    pub verdict_id: Option<String>,
    pub reason: String,
    pub by: String,
    pub at_us: i64,
}

/// Result of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerMoveResult {
    /// The breaker's new version.
    To(i64),
    /// The breaker was in that state already; nothing was written.
    AlreadyThere,
    /// Somebody changed the breakers by hand: none is closed before a person has looked.
    /// Nothing was written.
    SealBroken(&'static str),
}

/// One move in a transaction of its own.
pub async fn apply(
    conn: &mut Conn,
    schemas: &Schemas,
    seal: &BreakerSeal,
    wanted: &BreakerMove,
) -> mysql_async::Result<BreakerMoveResult> {
    let mut tx = conn.start_transaction(TxOpts::default()).await?;
    let (moved, version) = apply_within(&mut tx, schemas, seal, wanted).await?;
    tx.commit().await?;
    seal.committed(version);
    Ok(moved)
}

/// As `apply`, in the caller's transaction; the seal's version is for `committed`, behind it.
pub async fn apply_within(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    seal: &BreakerSeal,
    wanted: &BreakerMove,
) -> mysql_async::Result<(BreakerMoveResult, Option<i64>)> {
    let before = seal.lock(tx, schemas).await?;
    if let (SealState::Broken(why), BreakerState::Closed) = (&before, wanted.to) {
        return Ok((BreakerMoveResult::SealBroken(why), None));
    }
    let at_us = before.time_of_move(wanted.at_us);
    let moved = repo::apply(tx, schemas, seal.rows(), wanted, at_us).await?;
    let version = match moved {
        BreakerMoveResult::To(_) => seal.renew(tx, schemas, &before).await?,
        BreakerMoveResult::AlreadyThere | BreakerMoveResult::SealBroken(_) => None,
    };
    Ok((moved, version))
}

/// Seals the breakers as they are, for a person who has looked at each; returns the
/// seal's version.
pub async fn accept_as_they_are(
    conn: &mut Conn,
    schemas: &Schemas,
    seal: &BreakerSeal,
    (by, reason): (&str, &str),
    at_us: i64,
) -> mysql_async::Result<i64> {
    let mut tx = conn.start_transaction(TxOpts::default()).await?;
    let version = accept_within(&mut tx, schemas, seal, (by, reason), at_us).await?;
    tx.commit().await?;
    seal.committed(Some(version));
    Ok(version)
}

/// As `accept_as_they_are`, in the caller's transaction.
pub async fn accept_within(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    seal: &BreakerSeal,
    why: (&str, &str),
    at_us: i64,
) -> mysql_async::Result<i64> {
    let version = seal.accept(tx, schemas, at_us).await?;
    seal_repo::insert_acceptance(tx, schemas, seal.rows(), why, version).await?;
    Ok(version)
}
