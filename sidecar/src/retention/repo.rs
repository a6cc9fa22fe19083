//! SQL of retention. The sidecar's user may delete none of these rows; procedures of
//! `scripts/users.sql` do, which refuse what is younger than 30 days and what still counts.

use crate::leader::guard_db::GuardDb;
use crate::leader::lease_repo;
use mysql_async::prelude::Queryable;
use mysql_async::{IsolationLevel, TxOpts};
use sluice_contract::string_enum;

/// Rows that one statement deletes, but for those of one moment beyond it: a commit writes
/// 2,000 verdicts at most.
const MAX_ROWS_PER_SLICE: u32 = 500;

string_enum! {
    /// Tables of the guard schema whose rows go by age.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum PurgedTable("a table that retention purges") {
        Verdict = "verdict",
        BreakerTransition = "breaker_transition",
        Suppression = "suppression",
        AuditRun = "audit_run",
        DeadLetter = "dead_letter",
    }
}

impl PurgedTable {
    /// Column that tells the age, and its index.
    fn age(self) -> (&'static str, &'static str) {
        match self {
            PurgedTable::Verdict | PurgedTable::DeadLetter => ("found_us", "by_time"),
            PurgedTable::BreakerTransition => ("changed_us", "by_time"),
            PurgedTable::Suppression => ("expires_us", "by_expiry"),
            PurgedTable::AuditRun => ("completed_us", "by_time"),
        }
    }
}

/// Result of one slice of time.
pub(super) enum PurgedSlice {
    /// Rows deleted, and where the next slice begins.
    Until { deleted: u64, until_us: i64 },
    /// Another sidecar holds the lease; nothing was deleted.
    LeaseLost,
}

/// Deletes what may go of the next slice, from `from_us` on and before `before_us`. By
/// `READ COMMITTED`: open breakers are read beside it, and no gap between them is locked.
pub(super) async fn purge_slice(
    db: &GuardDb,
    epoch: i64,
    table: PurgedTable,
    (from_us, before_us): (i64, i64),
) -> mysql_async::Result<PurgedSlice> {
    let guard = &db.schemas.guard;
    let (name, (column, index)) = (table.as_str(), table.age());
    let mut conn = db.conn().await?;
    let mut options = TxOpts::default();
    options.with_isolation_level(IsolationLevel::ReadCommitted);
    let mut tx = conn.start_transaction(options).await?;
    if !lease_repo::is_held(&mut tx, &db.schemas, &db.owner, epoch).await? {
        return Ok(PurgedSlice::LeaseLost);
    }
    let sql = format!(
        "SELECT {column} FROM {guard}.{name} FORCE INDEX ({index}) WHERE {column}>=? AND {column}<? \
         ORDER BY {column} LIMIT 1 OFFSET {MAX_ROWS_PER_SLICE}"
    );
    let next: Option<i64> = tx.exec_first(sql, (from_us, before_us)).await?;
    let until_us = next.map_or(before_us, |next| next.max(from_us + 1));
    tx.query_drop(format!("CALL {guard}.purge_{name}({from_us}, {until_us})"))
        .await?;
    let deleted = tx.affected_rows();
    tx.commit().await?;
    Ok(PurgedSlice::Until { deleted, until_us })
}
