//! The mark from which on every row of the guard is signed. It is set at the very first
//! start, or by a person after an upgrade, and never by itself later: rows of programs of
//! before the signature must not trip anything while those are replaced one by one.

use crate::guard_rows::entries_mark::author;
use crate::guard_rows::{GuardRows, mark_repo};
use mysql_async::{Conn, Transaction};
use sluice_contract::clock::{now_us, trade_time};
use sluice_contract::provenance::EffectField::{self, Int, Text};
use sluice_contract::schema::Schemas;

/// Name of the mark's row.
pub const MARK_NAME: &str = "rows";
/// Author of a mark that no person set.
const FIRST_START: &str = "the first start";
const HOST_COPY: &str = "this host's copy";

/// A person who seals, and what they say of ledger entries.
#[derive(Debug, Clone, Copy)]
pub struct MarkSealing<'a> {
    /// Of the first server's binlog.
    pub position: &'a str,
    pub by: &'a str,
    /// From a minute from now on each entry must have a seal, unless each must already: no core
    /// of before the seals runs, and none will.
    pub arms_entries: bool,
}

/// Whether the mark that stands in the table is genuine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredMark {
    /// None stands there.
    Missing,
    /// Somebody else than a sidecar wrote it.
    Foreign,
    Genuine,
}

/// A mark as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardMark {
    pub version: i64,
    /// Of the first server's binlog.
    pub position: String,
    /// Last month (YYYYMM) whose limit totals may be unsigned; empty: none.
    pub unsigned_month: String,
    pub sealed_by: String,
    pub sealed_us: i64,
}

impl GuardMark {
    /// Fields of its row as they are signed.
    pub(super) fn fields<'a>(&'a self, name: &'a str) -> [EffectField<'a>; 6] {
        [
            Text(name.as_bytes()),
            Int(self.version.into()),
            Text(self.position.as_bytes()),
            Text(self.unsigned_month.as_bytes()),
            Text(self.sealed_by.as_bytes()),
            Int(self.sealed_us.into()),
        ]
    }
}

impl GuardRows {
    /// Whether `begin` would set the mark: there is none, and no sidecar has led here, so that
    /// no program of before the signature has written a row.
    ///
    /// # Errors
    /// The database's.
    pub async fn is_first_start(
        &self,
        conn: &mut Conn,
        schemas: &Schemas,
    ) -> mysql_async::Result<bool> {
        let stored = self.refresh(conn, schemas).await?;
        Ok(stored == StoredMark::Missing
            && !self.is_sealed()
            && !mark_repo::has_history(conn, schemas).await?)
    }

    /// Reads the mark, and sets it if this is the very first start. `position` is where the
    /// first server's binlog stands; `entries_from_us` the time from which on each entry must
    /// have a seal, if it is known that each will.
    ///
    /// # Errors
    /// The database's.
    pub async fn begin(
        &self,
        conn: &mut Conn,
        schemas: &Schemas,
        position: &str,
        entries_from_us: Option<i64>,
    ) -> mysql_async::Result<StoredMark> {
        if !self.is_first_start(conn, schemas).await? {
            return self.refresh(conn, schemas).await;
        }
        let mark = GuardMark {
            version: 1,
            position: position.to_owned(),
            unsigned_month: String::new(),
            sealed_by: author(FIRST_START, entries_from_us),
            sealed_us: now_us(),
        };
        let mac = self.mac("guard_seal", &mark.fields(MARK_NAME));
        mark_repo::insert_first(conn, schemas, (&mark, &mac)).await?;
        self.refresh(conn, schemas).await
    }

    /// Learns the mark that stands in the table. One that is not genuine says that there was
    /// one: every row must be signed, wherever the real one began.
    ///
    /// # Errors
    /// The database's.
    pub async fn refresh(
        &self,
        conn: &mut Conn,
        schemas: &Schemas,
    ) -> mysql_async::Result<StoredMark> {
        let Some((mark, mac)) = mark_repo::read(conn, schemas).await? else {
            return Ok(StoredMark::Missing);
        };
        if self.is_signed("guard_seal", &mark.fields(MARK_NAME), Some(&mac)) {
            self.learn(mark);
            return Ok(StoredMark::Genuine);
        }
        tracing::error!("the mark of signed rows is not signed itself: every row must be signed");
        let known = self.entries_from_us();
        self.learn_copy(0, String::new(), known.or(mark.entries_from_us()));
        Ok(StoredMark::Foreign)
    }

    /// Learns a mark from this host's copy: the row is gone, or another.
    pub fn learn_copy(&self, version: i64, position: String, entries_from_us: Option<i64>) {
        self.learn(GuardMark {
            version,
            position,
            unsigned_month: String::new(),
            sealed_by: author(HOST_COPY, entries_from_us),
            sealed_us: 0,
        });
    }

    /// Sets the mark for a person who has looked at everything: from here on each row must be
    /// signed. Returns the mark, for `sealed` after the commit.
    ///
    /// # Errors
    /// The database's.
    pub async fn seal(
        &self,
        tx: &mut Transaction<'_>,
        schemas: &Schemas,
        sealing: MarkSealing<'_>,
        at_us: i64,
    ) -> anyhow::Result<GuardMark> {
        let stored = mark_repo::lock(tx, schemas).await?.unwrap_or(0);
        let known = self.mark().map_or(0, |mark| mark.version);
        let month: String = trade_time(at_us, "UTC")?.chars().take(6).collect();
        let arming = (sealing.arms_entries, at_us);
        let entries_from_us = self.entries_to_seal(tx, schemas, arming).await?;
        let mark = GuardMark {
            version: stored.max(known).saturating_add(1),
            position: sealing.position.to_owned(),
            unsigned_month: month,
            sealed_by: author(sealing.by, entries_from_us),
            sealed_us: at_us,
        };
        let mac = self.mac("guard_seal", &mark.fields(MARK_NAME));
        mark_repo::write(tx, schemas, (&mark, &mac)).await?;
        Ok(mark)
    }

    /// Notes a mark whose transaction is committed.
    pub fn sealed(&self, mark: GuardMark) {
        self.learn(mark);
    }
}
