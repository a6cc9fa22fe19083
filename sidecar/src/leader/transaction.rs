//! Transactions of the leader. Each begins by locking and renewing the lease's row, so
//! that two sidecars never commit side by side; whoever begins one commits it.
//!
//! | phase | statement | round trips |
//! |---|---|---|
//! | begin | `START TRANSACTION` | 1 |
//! | lock | `SELECT … FROM lease … FOR UPDATE` | 1 |
//! | renew | `INSERT INTO lease … ON DUPLICATE KEY UPDATE` | 1 |
//! | write | the caller's | |
//! | commit, or roll back if the lease is lost | `COMMIT` | 1 |

use crate::guard_rows::GuardRows;
use crate::leader::lease_repo::{self, LEASE_TTL_US};
use mysql_async::{Conn, Transaction, TxOpts};
use sluice_contract::schema::Schemas;
use sluice_contract::sql;

/// One leadership, by its name in the lease.
#[derive(Clone, Copy)]
pub struct LeaseTerm<'a> {
    pub schemas: &'a Schemas,
    /// Signs the lease's row.
    pub rows: &'a GuardRows,
    pub owner: &'a str,
    pub epoch: i64,
}

/// Cause that ends a leader's transaction without a commit.
#[derive(Debug, thiserror::Error)]
pub enum LeaderError {
    #[error("another sidecar holds the lease")]
    LeaseLost,
    #[error("{0:#}")]
    Failed(anyhow::Error),
}

impl LeaderError {
    /// The same transaction may succeed a moment later: a deadlock, a broken connection.
    /// A lease that is lost stays lost.
    pub fn is_transient(&self) -> bool {
        match self {
            LeaderError::LeaseLost => false,
            LeaderError::Failed(error) => sql::is_transient(error),
        }
    }
}

impl From<anyhow::Error> for LeaderError {
    fn from(error: anyhow::Error) -> Self {
        LeaderError::Failed(error)
    }
}

impl From<mysql_async::Error> for LeaderError {
    fn from(error: mysql_async::Error) -> Self {
        LeaderError::Failed(error.into())
    }
}

/// Begins a transaction that holds the lease's row, renewed from `now_us` on. One that is
/// dropped is rolled back when its connection goes back to the pool.
///
/// # Errors
/// The lease is another's by now, or the database did not answer.
pub async fn begin<'c>(
    conn: &'c mut Conn,
    term: LeaseTerm<'_>,
    now_us: i64,
) -> Result<Transaction<'c>, LeaderError> {
    let mut tx = conn.start_transaction(TxOpts::default()).await?;
    let until_us = now_us + LEASE_TTL_US;
    if lease_repo::renew(
        &mut tx,
        term.schemas,
        term.rows,
        (term.owner, term.epoch),
        until_us,
    )
    .await?
    {
        return Ok(tx);
    }
    tx.rollback().await?;
    Err(LeaderError::LeaseLost)
}
