//! A look at the database as the money path needs it: whether it can be written, and what
//! its clock says. What is written is rolled back: no row, nothing in the binlog.

use crate::transaction::{Transaction, roll_back};
use anyhow::{Context, bail};
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{Conn, Pool};

/// The database's clock before ours, in µs, and how far that may be off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSkew {
    pub ahead_us: i64,
    pub uncertainty_us: i64,
}

impl ClockSkew {
    /// From our clock before and after the database said what time it is.
    fn of(before_us: i64, database_us: i64, after_us: i64) -> Self {
        ClockSkew {
            ahead_us: database_us - (before_us + (after_us - before_us) / 2),
            uncertainty_us: (after_us - before_us) / 2,
        }
    }

    /// Tells whether the clocks surely differ by more than `max_us`.
    pub fn is_beyond(&self, max_us: i64) -> bool {
        self.ahead_us.saturating_abs() - self.uncertainty_us > max_us
    }
}

/// Writes a row as `name` and rolls it back; reads the server's clock between.
///
/// # Errors
/// Why the database can't be written. A server that only reads is left for good.
pub async fn look(pool: &Pool, schemas: &Schemas, name: &str) -> anyhow::Result<ClockSkew> {
    let mut conn = pool.get_conn().await?;
    let skew = ask(pool, &mut conn).await?;
    let mut transaction = Transaction::begin(&mut conn).await?;
    let insert = format!(
        "INSERT INTO {}.lease (name,owner,epoch,expires_us) VALUES (?,'probe',0,0)",
        schemas.guard
    );
    transaction
        .conn()
        .exec_drop(insert, (format!("probe-{name}"),))
        .await
        .context("the database can't be written")?;
    roll_back(&mut conn).await?;
    Ok(skew)
}

/// Asks a server of books of its own whether it takes writes.
///
/// # Errors
/// Why not. A server that only reads is left for good.
pub async fn takes_writes(pool: &Pool) -> anyhow::Result<()> {
    let mut conn = pool.get_conn().await?;
    ask(pool, &mut conn).await.map(|_| ())
}

async fn ask(pool: &Pool, conn: &mut Conn) -> anyhow::Result<ClockSkew> {
    let before_us = now_us();
    let sql = "SELECT CAST(UNIX_TIMESTAMP(NOW(6))*1000000 AS SIGNED), @@global.read_only OR @@global.innodb_read_only";
    let row: Option<(i64, i64)> = conn.query_first(sql).await?;
    let after_us = now_us();
    let (database_us, only_reads) = row.context("the database did not tell its time")?;
    if only_reads != 0 {
        pool.leave_server();
        bail!("the database only reads: a primary that was demoted?");
    }
    Ok(ClockSkew::of(before_us, database_us, after_us))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_proves_no_skew() {
        let slow = ClockSkew::of(0, 9_000_000, 10_000_000);
        assert_eq!((slow.ahead_us, slow.uncertainty_us), (4_000_000, 5_000_000));
        assert!(!slow.is_beyond(1_000_000));
        let behind = ClockSkew::of(10_000_000, 1_000_000, 10_002_000);
        assert!(behind.is_beyond(5_000_000) && !behind.is_beyond(9_500_000));
    }
}
