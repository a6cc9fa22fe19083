//! Checksums of two sides, compared per account.

use crate::audit::sql::checksum_sql::AccountChecksums;
use std::collections::BTreeMap;

/// Accounts that are read row by row with one statement.
pub(super) const ACCOUNTS_PER_DETAIL_READ: usize = 50;

/// Per account the exclusive or of what must be equal on both sides: zero if it is.
#[derive(Default)]
pub(super) struct ChecksumDiff {
    of: BTreeMap<String, [u64; 3]>,
    pub(super) rows: u64,
}

impl ChecksumDiff {
    pub(super) fn add(&mut self, side: Vec<AccountChecksums>) {
        for (account, checksums, rows) in side {
            self.rows += rows;
            let all = self.of.entry(account).or_default();
            all.iter_mut()
                .zip(checksums)
                .for_each(|(one, other)| *one ^= other);
        }
    }

    pub(super) fn accounts(&self) -> u64 {
        self.of.len() as u64
    }

    pub(super) fn suspects(self) -> Vec<String> {
        self.of
            .into_iter()
            .filter(|(_, all)| *all != [0; 3])
            .map(|(account, _)| account)
            .collect()
    }
}
