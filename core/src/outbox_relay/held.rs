//! The relay's lease as it holds it: how long it lasts for certain, and the proof, under the
//! database's lock, that nobody has had it since.

use crate::guard::lease;
use crate::outbox_relay::{ARCHIVE_LEASE_NAME, LEASE_NAME, OutboxRelay};
use crate::transaction::Transaction;
use anyhow::bail;
use sluice_contract::clock::now_us;
use sluice_contract::sql::Conn;

/// Time for which the lease is taken. It outlives every message that is under way, see
/// `MESSAGE_TIMEOUT_MS`: another instance can't overtake one.
const LEASE_DURATION_US: i64 = 15_000_000;
/// Time that must be left of the lease when a message is produced: more than Kafka has to
/// acknowledge it.
pub(super) const LEASE_MARGIN_US: i64 = 12_500_000;

/// A lease that was taken.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeldLease {
    /// Time in µs until which it is ours; 0 at the start.
    pub until_us: i64,
    /// The lease's epoch: another one means that somebody else had it in between.
    pub epoch: i64,
}

impl HeldLease {
    /// Tells whether a message that is produced now ends, one way or the other, before the
    /// lease does.
    pub(super) fn outlasts_a_message(self) -> bool {
        self.until_us - now_us() > LEASE_MARGIN_US
    }
}

impl OutboxRelay {
    pub(super) fn lease_name(&self) -> &'static str {
        match self.producer {
            Some(_) => LEASE_NAME,
            None => ARCHIVE_LEASE_NAME,
        }
    }

    /// Takes or renews the lease by a conditional write, unless enough of it is left.
    pub(super) async fn hold_lease(&mut self) -> anyhow::Result<bool> {
        if self.held.outlasts_a_message() {
            return Ok(true);
        }
        let now = now_us();
        let mut conn = self.pool.get_conn().await?;
        let (name, life) = (self.lease_name(), LEASE_DURATION_US);
        let taken =
            lease::take_epoch(&mut conn, &self.schemas, name, &self.owner, now, life).await?;
        self.held = taken.map_or_else(HeldLease::default, |epoch| HeldLease {
            until_us: now + life,
            epoch,
        });
        Ok(taken.is_some())
    }

    /// Begins a transaction during which nobody else can take the lease.
    ///
    /// # Errors
    /// Somebody has it, or had it since it was taken: what was read under it may have been
    /// published meanwhile, and is that relay's to delete.
    pub(super) async fn begin_held<'c>(
        &self,
        conn: &'c mut Conn,
    ) -> anyhow::Result<Transaction<'c>> {
        let sql = lease::lock_sql(
            &self.schemas,
            self.lease_name(),
            &self.owner,
            self.held.epoch,
        );
        let (transaction, found) = Transaction::begin_locking(conn, &sql).await?;
        if found.is_empty() {
            transaction.roll_back().await?;
            bail!("another relay has taken the lease; it publishes what is left");
        }
        Ok(transaction)
    }
}
