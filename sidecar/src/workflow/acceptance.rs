//! Acceptance of the guard's rows as they are, by a person who has looked at them: after an
//! upgrade from a release that did not sign them, or after somebody changed them by hand.
//!
//! | phase | statement | round trips |
//! |---|---|---|
//! | suppressions in force | a SELECT … FOR UPDATE, an UPDATE each | 1 + n |
//! | rule set in force | its rows, an UPDATE each | 4 + n |
//! | breakers | their seal, and who accepted them | some 5 |
//! | mark | from here on every row is signed | 2 |

use crate::breakers;
use crate::guard_rows::mark::MarkSealing;
use crate::leader::guard_db::GuardDb;
use crate::workflow::{repo, signed_rows_repo, suppressions};
use mysql_async::{Conn, TxOpts};

/// Signs everything that a sidecar obeys, in one transaction; returns the mark's version.
/// `sealing` names the position that this sidecar has read to.
///
/// # Errors
/// The database's; nothing is signed then.
pub async fn accept(
    conn: &mut Conn,
    db: &GuardDb,
    reason: &str,
    sealing: MarkSealing<'_>,
    now_us: i64,
) -> anyhow::Result<i64> {
    let (schemas, rows) = (&db.schemas, db.seal.rows());
    let mut tx = conn.start_transaction(TxOpts::default()).await?;
    suppressions::repo::accept(&mut tx, schemas, rows, now_us).await?;
    let version = repo::lock_active(&mut tx, schemas).await?;
    signed_rows_repo::accept(&mut tx, schemas, rows, version).await?;
    let why = (sealing.by, reason);
    let sealed = breakers::accept_within(&mut tx, schemas, &db.seal, why, now_us).await?;
    let mark = rows.seal(&mut tx, schemas, sealing, now_us).await?;
    tx.commit().await?;
    db.seal.committed(Some(sealed));
    let version = mark.version;
    rows.sealed(mark);
    Ok(version)
}
