//! The mark from which on every ledger entry has a seal: a time, since entries say their own.
//! Entries of cores of before the seal are older, and need none. It is set and signed with the
//! mark of the guard's rows, and never moves later: sealing anew forgives nothing.

use crate::guard_rows::mark::GuardMark;
use crate::guard_rows::{GuardRows, mark_repo};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Transaction};
use sluice_contract::schema::Schemas;

/// Name of the mark's row.
const ENTRIES_MARK: &str = "entries";
/// The last core of before may have a clock that goes ahead of this host's by so much.
const MAX_CLOCK_SKEW_US: i64 = 60_000_000;

impl GuardRows {
    /// Sets the mark at the very first start: where the ledger is empty, no entry is ever
    /// without a seal.
    pub(super) async fn begin_entries(
        &self,
        conn: &mut Conn,
        schemas: &Schemas,
        first: GuardMark,
    ) -> mysql_async::Result<()> {
        let is_empty = mark_repo::has_entries(conn, schemas).await == Some(false);
        let mark = GuardMark {
            sealed_us: if is_empty { 0 } else { first.sealed_us },
            ..first
        };
        let mac = self.mac("guard_seal", &mark.fields(ENTRIES_MARK));
        mark_repo::insert_first(conn, schemas, ENTRIES_MARK, (&mark, &mac)).await
    }

    /// Sets the mark for a person who says that no core of before runs any more, or signs the
    /// one that is there anew.
    pub(super) async fn seal_entries(
        &self,
        tx: &mut Transaction<'_>,
        schemas: &Schemas,
        rows: &GuardMark,
    ) -> mysql_async::Result<()> {
        let stored = mark_repo::read(tx, schemas, ENTRIES_MARK).await?;
        let version = stored.as_ref().map_or(0, |(mark, _)| mark.version);
        let genuine = stored.filter(|(mark, mac)| {
            self.is_signed("guard_seal", &mark.fields(ENTRIES_MARK), Some(mac))
        });
        let from_us = genuine.map_or(
            rows.sealed_us.saturating_add(MAX_CLOCK_SKEW_US),
            |(mark, _)| mark.sealed_us,
        );
        let mark = GuardMark {
            version: version.max(rows.version - 1).saturating_add(1),
            sealed_us: from_us,
            ..rows.clone()
        };
        let mac = self.mac("guard_seal", &mark.fields(ENTRIES_MARK));
        mark_repo::write(tx, schemas, ENTRIES_MARK, (&mark, &mac)).await
    }

    /// Time, in µs since 1970 UTC, from which on each entry must have a seal; `None`: none need
    /// have one yet. A mark that no sidecar wrote says that there was one: then all must.
    ///
    /// # Errors
    /// The database's.
    pub async fn entries_sealed_from(
        &self,
        conn: &mut impl Queryable,
        schemas: &Schemas,
    ) -> mysql_async::Result<Option<i64>> {
        let Some((mark, mac)) = mark_repo::read(conn, schemas, ENTRIES_MARK).await? else {
            tracing::warn!(
                "ledger entries need no seal yet: once no core of before it runs, say `sluice guard seal`"
            );
            return Ok(None);
        };
        if self.is_signed("guard_seal", &mark.fields(ENTRIES_MARK), Some(&mac)) {
            return Ok(Some(mark.sealed_us));
        }
        tracing::error!("the mark of sealed entries is not signed: every entry must be sealed");
        Ok(Some(0))
    }
}
