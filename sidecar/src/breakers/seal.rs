//! The seal of the breakers, as the sidecar keeps it: locked before a move, made anew
//! behind it, and never over breakers that it did not fit before.
//!
//! Its version and the times of the history are one clock, which only rises: a move is
//! written down later than the version that it found, and sealed under a version no lower
//! than its own time. So a seal that is older than the newest move was put back, whoever
//! moved the clocks or added rows to the history (nobody's user may take one away).

use crate::breakers::seal_repo::{self, StoredSeal};
use crate::guard_rows::GuardRows;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Transaction, TxOpts};
use sluice_contract::breaker::{is_sealed, seal};
use sluice_contract::clock::now_us;
use sluice_contract::keys::SigningKeys;
use sluice_contract::provenance::TransactionVerifier;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Moves that are later than this after the host's clock, in microseconds, are nobody's:
/// a stranger's row in the far future must not take the version with it.
const MAX_CLOCK_LEAD_US: i64 = 86_400_000_000;

/// Keys of the seal, and the highest version that this process knows to be committed.
/// Clones share it.
#[derive(Clone)]
pub struct BreakerSeal {
    keys: SigningKeys,
    version: Arc<AtomicI64>,
    rows: GuardRows,
}

/// Whether the breakers are as the last move left them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealState {
    /// Whole: nobody but a sidecar has moved one; the version.
    Whole(i64),
    /// Broken: somebody changed them by hand; why that is known.
    Broken(&'static str),
}

impl SealState {
    /// The time to write down for a move at `at_us`: later than any seal before it.
    pub fn time_of_move(&self, at_us: i64) -> i64 {
        match self {
            SealState::Whole(version) => at_us.max(version.saturating_add(1)),
            // Whoever accepts them seals above whatever is written down until then.
            SealState::Broken(_) => at_us,
        }
    }
}

impl BreakerSeal {
    pub fn new(keys: impl Into<SigningKeys>) -> Self {
        let keys = keys.into();
        BreakerSeal {
            rows: GuardRows::new(keys.clone()),
            keys,
            version: Arc::default(),
        }
    }

    /// Verifies cores' transactions with `keys`, and seals of entries also with retired ones.
    #[must_use]
    pub fn verifying(mut self, keys: TransactionVerifier, retired: &[Secret]) -> Self {
        self.rows = self.rows.verifying(keys).with_retired(retired);
        self
    }

    /// Signatures of the guard's other rows, by the same keys.
    pub fn rows(&self) -> &GuardRows {
        &self.rows
    }

    /// The highest version that is known to be committed; cores accept no lower one.
    pub fn version(&self) -> i64 {
        self.version.load(Ordering::Acquire)
    }

    /// Notes a version once its transaction is committed.
    pub fn committed(&self, version: Option<i64>) {
        if let Some(version) = version {
            self.version.fetch_max(version, Ordering::AcqRel);
        }
    }

    /// Tells whether the seal fits, without a lock.
    pub async fn check(
        &self,
        conn: &mut Conn,
        schemas: &Schemas,
    ) -> mysql_async::Result<SealState> {
        // Before the read: a move that commits meanwhile must not look like a roll back.
        let known = self.version();
        let stored = stored(conn, schemas).await?;
        let state = self.state_of(&stored, known);
        // Also of a move that another sidecar made, or whose answer was lost.
        if let SealState::Whole(version) = state {
            self.committed(Some(version));
        }
        Ok(state)
    }

    /// Locks the seal until the transaction ends; taken before any breaker's row.
    pub async fn lock(
        &self,
        tx: &mut Transaction<'_>,
        schemas: &Schemas,
    ) -> mysql_async::Result<SealState> {
        seal_repo::lock(tx, schemas).await?;
        let known = self.version();
        let stored = stored(tx, schemas).await?;
        Ok(self.state_of(&stored, known))
    }

    /// Seals the breakers anew after a move, unless the seal was broken before it: a move
    /// must not vouch for what somebody else did. Returns the version, for `committed`.
    pub async fn renew(
        &self,
        tx: &mut Transaction<'_>,
        schemas: &Schemas,
        before: &SealState,
    ) -> mysql_async::Result<Option<i64>> {
        match before {
            SealState::Broken(_) => Ok(None),
            SealState::Whole(version) => self.write(tx, schemas, version + 1).await.map(Some),
        }
    }

    /// Makes sure at the begin of a leadership that there is a seal, and learns its version.
    pub async fn begin(
        &self,
        conn: &mut Conn,
        schemas: &Schemas,
    ) -> mysql_async::Result<SealState> {
        let mut tx = conn.start_transaction(TxOpts::default()).await?;
        let mut state = self.lock(&mut tx, schemas).await?;
        match state {
            SealState::Whole(0) => {
                state = SealState::Whole(self.write(&mut tx, schemas, now_us()).await?);
            }
            // A key that was replaced is taken away some day, and no breaker may move until
            // then: the seal is made anew with the present one.
            SealState::Whole(version) if !self.is_current(&mut tx, schemas).await? => {
                state = SealState::Whole(self.write(&mut tx, schemas, version + 1).await?);
            }
            SealState::Whole(_) | SealState::Broken(_) => {}
        }
        tx.commit().await?;
        if let SealState::Whole(version) = state {
            self.committed(Some(version));
        }
        Ok(state)
    }

    /// Seals what a person has looked at, whatever the seal said before. The version is the
    /// time at which that is to be written down too.
    pub async fn accept(
        &self,
        tx: &mut Transaction<'_>,
        schemas: &Schemas,
        at_us: i64,
    ) -> mysql_async::Result<i64> {
        seal_repo::lock(tx, schemas).await?;
        let stored = stored(tx, schemas).await?;
        let at = stored.seal.map_or(0, |(version, _)| version);
        // Above whatever a core or another sidecar may know: a database that lost its last
        // commits stands below it. One of the far future is a stranger's.
        let at = if at > latest_us() { 0 } else { at };
        let above = at.max(self.version()).max(stored.moved_us).max(at_us);
        self.write(tx, schemas, above + 1).await
    }

    /// Tells whether the seal was made with the key that seals now.
    async fn is_current(
        &self,
        conn: &mut impl Queryable,
        schemas: &Schemas,
    ) -> mysql_async::Result<bool> {
        let stored = stored(conn, schemas).await?;
        let current = SigningKeys::from(self.keys.current().clone());
        Ok(stored
            .seal
            .is_some_and(|(version, text)| is_sealed(&current, version, &stored.open, &text)))
    }

    /// Seals the breakers under `least`, or what covers their newest move.
    async fn write(
        &self,
        conn: &mut impl Queryable,
        schemas: &Schemas,
        least: i64,
    ) -> mysql_async::Result<i64> {
        let stored = stored(conn, schemas).await?;
        let version = least.max(stored.moved_us);
        let text = seal(self.keys.current(), version, &stored.open);
        seal_repo::write(conn, schemas, version, &text, now_us()).await?;
        Ok(version)
    }

    fn state_of(&self, stored: &StoredSeal, known: i64) -> SealState {
        match &stored.seal {
            None if known.max(stored.moved_us) > 0 => SealState::Broken("its row is gone"),
            None if !stored.open.is_empty() => SealState::Broken("no open breaker was ever sealed"),
            None => SealState::Whole(0),
            Some((version, _)) if *version < known => {
                SealState::Broken("an earlier state of the breakers was put back")
            }
            Some((version, _)) if *version < stored.moved_us => {
                SealState::Broken("a breaker moved after it was made")
            }
            Some((version, text)) => match is_sealed(&self.keys, *version, &stored.open, text) {
                true => SealState::Whole(*version),
                false => SealState::Broken("the open breakers are not those that it covers"),
            },
        }
    }
}

async fn stored(conn: &mut impl Queryable, schemas: &Schemas) -> mysql_async::Result<StoredSeal> {
    seal_repo::read(conn, schemas, latest_us()).await
}

fn latest_us() -> i64 {
    now_us().saturating_add(MAX_CLOCK_LEAD_US)
}
