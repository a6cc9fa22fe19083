//! Transactions: begun, committed and rolled back here and nowhere else.
//!
//! | form | statements | round trips |
//! |---|---|---|
//! | `begin` … `commit` | START TRANSACTION; locks; writes with COMMIT | 1 + locks + 1 |
//! | `begin_locking` … `commit` | the first lock in the packet of the beginning | locks + 1 |
//! | `begin_naming` … `commit` | locks by name, freed in the packet of the commit | locks + 1 |
//! | `deferred` … `commit` | the beginning in the packet of writes and COMMIT | 1 |
//!
//! A transaction that is dropped without an end stays open on its connection. Whoever
//! meets an error drops the connection too: it is closed, which rolls back.

use mysql_async::Row;
use mysql_async::prelude::Queryable;
use sluice_contract::sql::Conn;

/// Frees the session's locks by name, behind the COMMIT.
const FREE_NAMES: &str = ";DO RELEASE_ALL_LOCKS()";

/// A transaction on a connection that it borrows.
pub struct Transaction<'c> {
    conn: &'c mut Conn,
    is_begun: bool,
    /// Holds locks by name, which outlive the transaction.
    has_names: bool,
}

impl<'c> Transaction<'c> {
    /// Begins, in a round trip of its own.
    ///
    /// # Errors
    /// The server's, as for every function here.
    pub async fn begin(conn: &'c mut Conn) -> anyhow::Result<Self> {
        conn.set_in_transaction(true);
        conn.query_drop("START TRANSACTION").await?;
        Ok(Transaction {
            conn,
            is_begun: true,
            has_names: false,
        })
    }

    /// Begins one whose reads all see this moment; it writes nothing.
    pub async fn begin_snapshot(conn: &'c mut Conn) -> anyhow::Result<Self> {
        conn.set_in_transaction(true);
        // Of this one transaction: the session's own isolation gives no snapshot.
        conn.query_drop("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            .await?;
        conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            .await?;
        Ok(Transaction {
            conn,
            is_begun: true,
            has_names: false,
        })
    }

    /// Begins and takes the first locks in the same round trip; returns what the one
    /// statement `lock_sql` reads.
    pub async fn begin_locking(
        conn: &'c mut Conn,
        lock_sql: &str,
    ) -> anyhow::Result<(Self, Vec<Row>)> {
        conn.set_in_transaction(true);
        let sets = conn.query_sets(&["START TRANSACTION", lock_sql]).await?;
        let rows = sets.into_iter().flatten().collect();
        let transaction = Transaction {
            conn,
            is_begun: true,
            has_names: false,
        };
        Ok((transaction, rows))
    }

    /// Begins as `begin_locking` does, with a `lock_sql` that takes locks by name: they are
    /// freed right after the COMMIT, or with the connection.
    pub async fn begin_naming(
        conn: &'c mut Conn,
        lock_sql: &str,
    ) -> anyhow::Result<(Self, Vec<Row>)> {
        let (mut transaction, rows) = Transaction::begin_locking(conn, lock_sql).await?;
        transaction.has_names = true;
        Ok((transaction, rows))
    }

    /// Begins with the commit's own packet: for writes that need no locks before them.
    /// Until then nothing is locked.
    pub fn deferred(conn: &'c mut Conn) -> Self {
        Transaction {
            conn,
            is_begun: false,
            has_names: false,
        }
    }

    /// Lends the connection for reads and locks.
    pub fn conn(&mut self) -> &mut Conn {
        self.conn
    }

    /// Sends the writes (statements that end with `;`, or none) and COMMIT in one packet.
    pub async fn commit(self, mut writes: String) -> anyhow::Result<()> {
        writes.push_str("COMMIT");
        if self.has_names {
            writes.push_str(FREE_NAMES);
        }
        if !self.is_begun {
            writes.insert_str(0, "START TRANSACTION;");
        }
        self.conn.set_in_transaction(true);
        self.conn.query_drop(writes).await?;
        self.conn.set_in_transaction(false);
        Ok(())
    }

    /// Ends a transaction that has nothing to write: its locks are free again.
    pub async fn roll_back(self) -> anyhow::Result<()> {
        if self.is_begun {
            roll_back(self.conn).await?;
        }
        Ok(())
    }
}

/// Rolls back whatever is open on a connection that is kept after a failure.
pub async fn roll_back(conn: &mut Conn) -> anyhow::Result<()> {
    conn.query_drop("ROLLBACK").await?;
    conn.set_in_transaction(false);
    Ok(())
}
