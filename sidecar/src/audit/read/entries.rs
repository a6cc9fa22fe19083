//! Entries whose seal does not hold: rows that no core wrote, or not like that.

use crate::audit::read::reading::{dec, text};
use crate::audit::read::{AuditReader, AuditReading};
use crate::audit::sql::account_filter::AccountFilter;
use crate::audit::sql::entries_sql::{self, SealedEntryRow};
use crate::stream::change::{AuditFact, AuditSubject, ColumnValue};
use sluice_contract::money::column_units;
use sluice_contract::provenance::{OrderSealKeys, SealError, SealedEntry};
use std::sync::Arc;

/// Entries shown by one reading. More are no accident: see `run`.
const MAX_UNSEALED: usize = 1_000;

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
        let (schemas, seals) = (self.schemas.clone(), self.seals.clone());
        let (mut facts, mut overflow) = (Vec::new(), false);
        let judge = |row: SealedEntryRow| {
            if let Some(seal) = seals.refuse(&row) {
                overflow |= facts.len() >= MAX_UNSEALED;
                if !overflow {
                    facts.push(fact(row, seal));
                }
            }
        };
        let rows = entries_sql::entries(self.ledger(), &schemas, which, judge).await?;
        Ok(AuditReading {
            rows,
            facts,
            overflow,
            ..AuditReading::default()
        })
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
}
