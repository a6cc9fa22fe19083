//! Seals of ledger entries: MACs that the core writes beside each, by the keys of the orders'
//! seals, so that the audit can ask of a row at rest who wrote it, however it got there.

use crate::provenance::EffectField::{Int, Text};
use crate::provenance::order_seal::{OrderSealKey, OrderSealKeys, SealError, sealed_text};

/// Every column of an entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SealedEntry<'a> {
    pub account: &'a str,
    pub posting: &'a str,
    pub line: i64,
    pub kind: &'a str,
    pub book: &'a str,
    pub side: &'a str,
    /// In units of 10⁻⁴.
    pub units: i128,
    pub currency: &'a str,
    pub reference: &'a str,
    pub created_us: i64,
    pub client: &'a str,
}

impl SealedEntry<'_> {
    fn text(&self) -> Vec<u8> {
        sealed_text(
            "entry",
            &[
                Text(self.account.as_bytes()),
                Text(self.posting.as_bytes()),
                Int(self.line.into()),
                Text(self.kind.as_bytes()),
                Text(self.book.as_bytes()),
                Text(self.side.as_bytes()),
                Int(self.units),
                Text(self.currency.as_bytes()),
                Text(self.reference.as_bytes()),
                Int(self.created_us.into()),
                Text(self.client.as_bytes()),
            ],
        )
    }
}

impl OrderSealKey {
    /// Seals an entry.
    pub fn entry(&self, entry: &SealedEntry<'_>) -> String {
        self.seal(&entry.text())
    }
}

impl OrderSealKeys {
    /// Checks the seal of an entry.
    ///
    /// # Errors
    /// Why it does not hold.
    pub fn check_entry(&self, seal: &str, entry: &SealedEntry<'_>) -> Result<(), SealError> {
        self.check(seal, &entry.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::SealedResult;
    use crate::settings::Secret;

    #[test]
    fn an_entrys_seal_covers_every_column_and_is_no_other_seal() {
        let secret = Secret::new("key");
        let key = OrderSealKey::derive(&secret);
        let keys = OrderSealKeys::new([&secret]);
        let entry = SealedEntry {
            account: "A",
            posting: "o-reserve",
            line: 0,
            kind: "reserve",
            book: "available",
            side: "D",
            units: 100,
            currency: "CNY",
            reference: "o",
            created_us: 7,
            client: "shop",
        };
        let seal = key.entry(&entry);
        assert!(seal.len() <= 48, "the column's width: {seal}");
        assert_eq!(keys.check_entry(&seal, &entry), Ok(()));
        let changes: [fn(&mut SealedEntry<'static>); 12] = [
            |e| e.account = "B",
            |e| e.posting = "p-reserve",
            |e| e.line = 1,
            |e| e.kind = "adjust",
            |e| e.book = "reserved",
            |e| e.side = "C",
            |e| e.units = 101,
            |e| e.currency = "EUR",
            |e| e.reference = "p",
            |e| e.created_us = 8,
            |e| e.client = "",
            |e| (e.reference, e.client) = ("oshop", ""),
        ];
        for (at, change) in changes.iter().enumerate() {
            let mut changed = entry;
            change(&mut changed);
            let checked = keys.check_entry(&seal, &changed);
            assert_eq!(checked, Err(SealError::Mismatch), "{at}");
        }
        let other = key.result(&SealedResult::default());
        let checked = keys.check_entry(&other, &SealedEntry::default());
        assert_eq!(checked, Err(SealError::Mismatch));
        assert_eq!(keys.check_entry("", &entry), Err(SealError::Malformed));
    }
}
