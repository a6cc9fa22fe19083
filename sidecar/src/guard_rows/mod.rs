//! Signatures of the guard's own rows, as the sidecar makes and checks them, and the mark
//! from which on every row has one.

mod entries_mark;
pub mod mark;
mod mark_repo;

use crate::guard_rows::mark::GuardMark;
use sluice_contract::keys::SigningKeys;
use sluice_contract::provenance::{
    EffectField, OrderSealKeys, TransactionVerifier, guard_mac, is_guard_row,
};
use sluice_contract::settings::Secret;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Keys of the rows, and the mark as it is known to this process. Clones share it.
#[derive(Clone)]
pub struct GuardRows {
    keys: SigningKeys,
    /// Verifies the transactions of cores that take rows away.
    transactions: TransactionVerifier,
    /// Keys of before, which vouch for what nobody writes anew: ledger entries.
    retired: Arc<[Secret]>,
    mark: Arc<RwLock<Option<GuardMark>>>,
    /// Earliest time that any mark said for entries; the highest: none did.
    entries_from_us: Arc<AtomicI64>,
}

impl GuardRows {
    pub fn new(keys: impl Into<SigningKeys>) -> Self {
        let keys = keys.into();
        GuardRows {
            transactions: keys.clone().into(),
            keys,
            retired: Arc::default(),
            mark: Arc::default(),
            entries_from_us: Arc::new(AtomicI64::new(i64::MAX)),
        }
    }

    /// Verifies cores' transactions with `keys`.
    #[must_use]
    pub fn verifying(mut self, keys: TransactionVerifier) -> Self {
        self.transactions = keys;
        self
    }

    /// Believes seals of entries that keys of before made.
    #[must_use]
    pub fn with_retired(mut self, retired: &[Secret]) -> Self {
        self.retired = retired.into();
        self
    }

    /// Keys by which entries may be sealed.
    pub fn entry_keys(&self) -> OrderSealKeys {
        OrderSealKeys::new(self.keys.all().chain(self.retired.iter()))
    }

    /// Keys by which cores' transactions may be signed.
    pub fn transactions(&self) -> &TransactionVerifier {
        &self.transactions
    }

    /// Signs a row.
    pub fn mac(&self, table: &str, fields: &[EffectField<'_>]) -> String {
        guard_mac(self.keys.current(), table, fields)
    }

    /// Whether the row may be obeyed: it is signed, or none has to be yet.
    pub fn holds(&self, table: &str, fields: &[EffectField<'_>], mac: Option<&str>) -> bool {
        !self.is_sealed() || self.is_signed(table, fields, mac)
    }

    /// Whether a program signed the row.
    pub fn is_signed(&self, table: &str, fields: &[EffectField<'_>], mac: Option<&str>) -> bool {
        mac.is_some_and(|mac| is_guard_row(&self.keys, table, fields, mac))
    }

    /// Keys by which rows may be signed.
    pub fn keys(&self) -> &SigningKeys {
        &self.keys
    }

    /// Whether every row must be signed.
    pub fn is_sealed(&self) -> bool {
        self.mark().is_some()
    }

    /// The mark, once there is one.
    pub fn mark(&self) -> Option<GuardMark> {
        let mark = self.mark.read().unwrap_or_else(PoisonError::into_inner);
        mark.clone()
    }

    /// Time, in µs since 1970 UTC, from which on each ledger entry must have a seal; `None`: none
    /// need have one yet.
    pub fn entries_from_us(&self) -> Option<i64> {
        let from_us = self.entries_from_us.load(Ordering::Acquire);
        (from_us != i64::MAX).then_some(from_us)
    }

    /// Learns a mark. One that was there once is never gone again, whatever the table says.
    fn learn(&self, mark: GuardMark) {
        let from_us = mark.entries_from_us().unwrap_or(i64::MAX);
        self.entries_from_us.fetch_min(from_us, Ordering::AcqRel);
        let mut known = self.mark.write().unwrap_or_else(PoisonError::into_inner);
        if known
            .as_ref()
            .is_none_or(|known| known.version <= mark.version)
        {
            *known = Some(mark);
        }
    }
}
