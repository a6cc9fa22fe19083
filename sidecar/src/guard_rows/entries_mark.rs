//! The time from which on every ledger entry has a seal: entries say their own. Those of cores
//! of before the seal are older, and need none.
//!
//! The mark of the guard's rows says it, beside who set it, so that one signature covers both and
//! neither can be taken away alone. It begins at 0 where the first sidecar finds an empty ledger
//! that has seals, else when a person says so, and never moves later: sealing anew forgives
//! nothing.

use crate::guard_rows::mark::{GuardMark, StoredMark};
use crate::guard_rows::{GuardRows, mark_repo};
use mysql_async::{Conn, Transaction};
use sluice_contract::schema::Schemas;

/// Stands behind the name of who set the mark, before a time in µs since 1970 UTC.
const ENTRIES_FROM: &str = "; entries from ";
/// Longest name beside it: the column has 64 characters.
const MAX_AUTHOR_CHARS: usize = 30;
/// The last core of before may have a clock that goes ahead of this host's by so much.
const MAX_CLOCK_SKEW_US: i64 = 60_000_000;

impl GuardMark {
    /// Time, in µs since 1970 UTC, from which on each entry must have a seal; `None`: none need
    /// have one yet.
    pub fn entries_from_us(&self) -> Option<i64> {
        self.sealed_by.rsplit_once(ENTRIES_FROM)?.1.parse().ok()
    }
}

/// Name of who sets a mark, with the time of the entries behind it. No name is taken for one.
pub(super) fn author(by: &str, entries_from_us: Option<i64>) -> String {
    let by: String = by
        .replace(';', ",")
        .chars()
        .take(MAX_AUTHOR_CHARS)
        .collect();
    entries_from_us.map_or(by.clone(), |from_us| format!("{by}{ENTRIES_FROM}{from_us}"))
}

impl GuardRows {
    /// Time from which on each entry must have a seal, as a mark that is sealed now says it: that
    /// which was known, else that of a row which nobody signed, else a minute from now if a
    /// person says so.
    pub(super) async fn entries_to_seal(
        &self,
        tx: &mut Transaction<'_>,
        schemas: &Schemas,
        (arms_entries, at_us): (bool, i64),
    ) -> mysql_async::Result<Option<i64>> {
        let stored = mark_repo::read(tx, schemas).await?;
        let stored = stored.and_then(|(mark, _)| mark.entries_from_us());
        let known = self.entries_from_us().or(stored);
        let armed = arms_entries.then_some(at_us.saturating_add(MAX_CLOCK_SKEW_US));
        Ok(known.or(armed))
    }

    /// Looks whether the mark still stands as a sidecar left it; else what is wrong. One of
    /// before this process's is none of a stranger: a failover may have lost the last.
    ///
    /// # Errors
    /// The database's.
    pub async fn check_mark(
        &self,
        conn: &mut Conn,
        schemas: &Schemas,
    ) -> mysql_async::Result<Option<&'static str>> {
        let was_known = self.is_sealed();
        Ok(self.refresh(conn, schemas).await?.fault(was_known))
    }
}

impl StoredMark {
    /// Fault of a mark of which this host knew before, or did not.
    pub fn fault(self, was_known: bool) -> Option<&'static str> {
        match self {
            StoredMark::Foreign => Some("no sidecar wrote the one that stands there"),
            StoredMark::Missing if was_known => Some("it is gone"),
            StoredMark::Missing | StoredMark::Genuine => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(by: &str, entries_from_us: Option<i64>) -> GuardMark {
        GuardMark {
            version: 1,
            position: String::new(),
            unsigned_month: String::new(),
            sealed_by: author(by, entries_from_us),
            sealed_us: 1,
        }
    }

    #[test]
    fn a_mark_says_since_when_and_no_name_does() {
        let longest = mark(&"ü".repeat(64), Some(i64::MAX));
        assert_eq!(longest.entries_from_us(), Some(i64::MAX));
        assert!(
            longest.sealed_by.chars().count() <= 64,
            "the column's width"
        );
        assert_eq!(mark("ann", Some(0)).entries_from_us(), Some(0));
        assert_eq!(mark("ann", None).entries_from_us(), None);
        let name = "x; entries from 9";
        assert_eq!(mark(name, None).entries_from_us(), None);
        assert_eq!(mark(name, Some(3)).entries_from_us(), Some(3));
    }
}
