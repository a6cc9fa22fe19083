//! Breakers and their moves. Rules open them; only a person closes one on money.

pub mod repo;
mod rows_repo;

use mysql_async::{Conn, TxOpts};
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
}

/// One move in a transaction of its own.
pub async fn apply(
    conn: &mut Conn,
    schemas: &Schemas,
    wanted: &BreakerMove,
) -> mysql_async::Result<BreakerMoveResult> {
    let mut tx = conn.start_transaction(TxOpts::default()).await?;
    let moved = repo::apply(&mut tx, schemas, wanted).await?;
    tx.commit().await?;
    Ok(moved)
}
