//! Entries whose seal does not hold: rows that no core wrote, or not like that.

use crate::audit::read::reading::{dec, text};
use crate::audit::read::{AuditReader, AuditReading, MAX_ACCOUNTS_PER_READ};
use crate::audit::sql::account_filter::AccountFilter;
use crate::audit::sql::entries_sql::{self, EntryKey, SealedEntryRow};
use crate::rules::text::audit_facts::fact_account;
use crate::stream::change::{AuditFact, AuditSubject, ColumnValue};
use anyhow::Context;
use sluice_contract::money::column_units;
use sluice_contract::provenance::{OrderSealKeys, SealError, SealedEntry};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Entries of one account that are shown: it is stopped by the first, and all others of the
/// chunk must be shown as well.
const MAX_OF_ACCOUNT: usize = 50;
/// Entries shown by one reading: all that as many accounts may bring as `confirm` reads at once.
const MAX_UNSEALED: usize = MAX_OF_ACCOUNT * MAX_ACCOUNTS_PER_READ;

/// Keys that entries may be sealed with, and since when each must be.
#[derive(Debug, Clone)]
pub struct EntrySeals {
    pub keys: OrderSealKeys,
    /// In µs since 1970 UTC; `None`: an entry without a seal may be one of a core of before.
    pub from_us: Option<i64>,
}

impl EntrySeals {
    /// Why the core did not write the entry like that; `None` if it did, or may have.
    pub(super) fn refuse(&self, row: &SealedEntryRow) -> Option<&'static str> {
        let (account, posting, line, kind, book, side, amount, currency, .., created_us, _, mac) =
            row;
        if mac.is_empty() {
            let must = self.from_us.is_some_and(|from_us| *created_us >= from_us);
            return must.then_some("missing");
        }
        let Some(units) = column_units(*amount) else {
            return Some("invalid");
        };
        let entry = SealedEntry {
            account,
            posting,
            line: *line,
            kind,
            book,
            side,
            units,
            currency,
            reference: &row.8,
            created_us: *created_us,
            client: &row.10,
        };
        match self.keys.check_entry(mac, &entry) {
            Ok(()) => None,
            Err(SealError::UnknownKey) => Some("unknown_key"),
            Err(SealError::Malformed | SealError::Mismatch) => Some("invalid"),
        }
    }
}

impl AuditReader {
    pub(super) async fn entries(
        &mut self,
        which: AccountFilter<'_>,
    ) -> anyhow::Result<AuditReading> {
        let (schemas, mut reading) = (self.schemas.clone(), AuditReading::default());
        let mut judged: Option<JoinHandle<Vec<Arc<AuditFact>>>> = None;
        let mut after: Option<EntryKey> = None;
        loop {
            let page = entries_sql::page(self.ledger(), &schemas, which, after.as_ref()).await?;
            reading.rows += page.len() as u64;
            let is_last = page.len() < entries_sql::PAGE_ROWS;
            after = page.last().map(|row| (row.0.clone(), row.1.clone(), row.2));
            // A page is judged while the server reads the next one, and off the runtime's
            // threads: others wait for those.
            if let Some(earlier) = judged.replace(self.judge_entries(page)) {
                add(&mut reading, earlier.await.context("judging panicked")?);
            }
            if is_last || reading.overflow {
                break;
            }
        }
        if let Some(last) = judged {
            add(&mut reading, last.await.context("judging panicked")?);
        }
        Ok(reading)
    }

    fn judge_entries(&self, page: Vec<SealedEntryRow>) -> JoinHandle<Vec<Arc<AuditFact>>> {
        let seals = self.seals.clone();
        tokio::task::spawn_blocking(move || {
            let refused = page
                .into_iter()
                .filter_map(|row| seals.refuse(&row).map(|seal| fact(row, seal)));
            refused.collect()
        })
    }

    /// Looks at what an audit of entries needs: whether the table has seals, and which keys of
    /// them, by a sample, nobody knows here.
    pub async fn entry_keys(&mut self) -> anyhow::Result<EntryKeys> {
        let schemas = self.schemas.clone();
        if !entries_sql::has_seals(self.ledger(), &schemas).await? {
            return Ok(EntryKeys::NoSeals);
        }
        let sampled = entries_sql::sampled_seals(self.ledger(), &schemas).await?;
        let unknown = sampled
            .iter()
            .filter_map(|seal| self.seals.keys.unknown_key(seal));
        let mut unknown: Vec<String> = unknown.map(str::to_owned).collect();
        unknown.sort_unstable();
        unknown.dedup();
        Ok(EntryKeys::Unknown(unknown))
    }

    /// Time from which on each entry must have a seal; none: none need have one yet.
    pub fn entries_from_us(&self) -> Option<i64> {
        self.seals.from_us
    }
}

/// Keys that the entries are sealed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKeys {
    /// The table has no seals yet: its migration comes with the cores.
    NoSeals,
    /// Names of keys that this sidecar does not have; empty: it has all.
    Unknown(Vec<String>),
}

/// Adds what was refused, in the order of accounts.
fn add(reading: &mut AuditReading, facts: Vec<Arc<AuditFact>>) {
    for fact in facts {
        let account = fact_account(&fact);
        let shown = reading.facts.iter().rev().take(MAX_OF_ACCOUNT);
        let of_account = shown.take_while(|shown| fact_account(shown) == account);
        if of_account.count() >= MAX_OF_ACCOUNT {
            continue;
        }
        reading.overflow |= reading.facts.len() >= MAX_UNSEALED;
        if reading.overflow {
            return;
        }
        reading.facts.push(fact);
    }
}

fn fact(row: SealedEntryRow, seal: &str) -> Arc<AuditFact> {
    let (account, posting, line, kind, book, side, amount, currency, ..) = row;
    let values = [
        text(account),
        text(posting),
        ColumnValue::Int(line),
        text(kind),
        text(book),
        text(side),
        dec(amount),
        text(currency),
        text(seal.to_owned()),
    ];
    Arc::new(AuditFact {
        of: AuditSubject::Entries,
        values: Box::new(values),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_decimal::Decimal;
    use sluice_contract::provenance::OrderSealKey;
    use sluice_contract::settings::Secret;

    fn row(created_us: i64, mac: &str) -> SealedEntryRow {
        let text = |text: &str| text.to_owned();
        (
            text("A"),
            text("p"),
            0,
            text("deposit"),
            text("available"),
            text("C"),
            Decimal::new(15, 1),
            text("CNY"),
            text("r"),
            created_us,
            text("shop"),
            text(mac),
        )
    }

    fn sealed(key: &Secret) -> String {
        OrderSealKey::derive(key).entry(&SealedEntry {
            account: "A",
            posting: "p",
            line: 0,
            kind: "deposit",
            book: "available",
            side: "C",
            units: 15_000,
            currency: "CNY",
            reference: "r",
            created_us: 7,
            client: "shop",
        })
    }

    #[test]
    fn an_entry_is_the_cores_or_of_before_the_mark() {
        let (key, old) = (Secret::new("key"), Secret::new("old"));
        let seals = |from_us| EntrySeals {
            keys: OrderSealKeys::new([&key, &old]),
            from_us,
        };
        for by in [&key, &old] {
            assert_eq!(seals(Some(0)).refuse(&row(7, &sealed(by))), None);
        }
        let mac = sealed(&key);
        for (row, from_us, expected) in [
            (row(7, ""), None, None),
            (row(7, ""), Some(8), None),
            (row(7, ""), Some(7), Some("missing")),
            (row(8, &mac), None, Some("invalid")),
            (row(7, "x"), None, Some("invalid")),
            (
                row(7, &sealed(&Secret::new("x"))),
                None,
                Some("unknown_key"),
            ),
        ] {
            assert_eq!(seals(from_us).refuse(&row), expected, "{row:?}");
        }
        let mut bent = row(7, &mac);
        bent.6 = Decimal::new(150, 1);
        assert_eq!(seals(None).refuse(&bent), Some("invalid"));
    }

    #[test]
    fn one_account_hides_no_other() {
        let mut reading = AuditReading::default();
        let of = |account: &str, entries: usize| {
            let mut row = row(7, "");
            row.0 = account.to_owned();
            vec![fact(row, "missing"); entries]
        };
        add(&mut reading, of("A", 30));
        add(&mut reading, of("A", 100_000));
        assert_eq!(reading.facts.len(), MAX_OF_ACCOUNT);
        add(&mut reading, of("B", 1));
        let last = reading.facts.last().map(|fact| fact_account(fact));
        assert_eq!((last, reading.overflow), (Some("B"), false));
        for account in 0..MAX_ACCOUNTS_PER_READ {
            add(&mut reading, of(&format!("C{account}"), 60));
        }
        assert!(reading.overflow && reading.facts.len() == MAX_UNSEALED);
    }
}
