//! Cumulative totals as pure arithmetic: what the locked rows say, what a batch
//! takes and gives back, and what is to be written. All or nothing per order.

use crate::routing::limits::total_key::LimitTotalKey;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// The largest total that the column holds, `DECIMAL(24,4)`.
const MAX_TOTAL: Decimal = Decimal::from_parts(0xA0FF_FFFF, 0x1BCE_CCED, 0xD3C2, false, 4);

/// One total as stored. Amount in major units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitTotal {
    pub at: LimitTotalKey,
    pub amount: Decimal,
    /// 0: no row yet. Grows by one with every transaction that touches the row.
    pub version: i64,
    /// Whether a core wrote it: nothing is counted on one that somebody else did.
    pub is_believed: bool,
}

/// Reason why a total can't be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitTotalsError {
    #[error("the total {0} was not locked")]
    NotLocked(String),
    #[error("the total {0} was changed by hand")]
    Unsigned(String),
    #[error("the total {0} would be larger than its column")]
    TooLarge(String),
}

/// The totals of one transaction, locked.
#[derive(Debug, Default)]
pub struct LimitTotals(BTreeMap<LimitTotalKey, (LimitTotal, bool)>);

impl LimitTotals {
    /// `wanted` were locked; `stored` are those of them that have a row.
    pub fn new(wanted: BTreeSet<LimitTotalKey>, stored: Vec<LimitTotal>) -> Self {
        let none = |at: LimitTotalKey| {
            (
                at.clone(),
                (
                    LimitTotal {
                        at,
                        amount: Decimal::ZERO,
                        version: 0,
                        is_believed: true,
                    },
                    false,
                ),
            )
        };
        let mut all: BTreeMap<_, _> = wanted.into_iter().map(none).collect();
        for total in stored {
            // A lock by lists covers more than was asked for: that stays out.
            if let Some(slot) = all.get_mut(&total.at) {
                slot.0 = total;
            }
        }
        LimitTotals(all)
    }

    /// Amount that is counted there now.
    pub fn of(&self, at: &LimitTotalKey) -> Option<Decimal> {
        self.0.get(at).map(|(total, _)| total.amount)
    }

    /// Tells whether `amount` can be counted; changes nothing.
    pub fn fits(&self, keys: &[LimitTotalKey], amount: Decimal) -> Result<(), LimitTotalsError> {
        for at in keys {
            let now = self
                .of(at)
                .ok_or_else(|| LimitTotalsError::NotLocked(at.label()))?;
            if !self.is_believed(at) {
                return Err(LimitTotalsError::Unsigned(at.label()));
            }
            let fits = now.checked_add(amount).is_some_and(|sum| sum <= MAX_TOTAL);
            if !fits {
                return Err(LimitTotalsError::TooLarge(at.label()));
            }
        }
        Ok(())
    }

    /// Counts an order that is about to be sent.
    pub fn take(
        &mut self,
        keys: &[LimitTotalKey],
        amount: Decimal,
    ) -> Result<(), LimitTotalsError> {
        self.fits(keys, amount)?;
        self.add(keys, amount);
        Ok(())
    }

    /// Gives back what an order took that failed or was returned. A total that has less is
    /// left as it is, and named: somebody else changed it, which must not keep the money
    /// from its account.
    pub fn give_back(&mut self, keys: &[LimitTotalKey], amount: Decimal) -> Vec<String> {
        let mut short = Vec::new();
        for at in keys {
            // One that no core wrote must not become genuine.
            let enough = self.of(at).is_some_and(|there| there >= amount);
            if enough && self.is_believed(at) {
                self.add(std::slice::from_ref(at), -amount);
            } else {
                short.push(at.label());
            }
        }
        short
    }

    fn is_believed(&self, at: &LimitTotalKey) -> bool {
        self.0.get(at).is_some_and(|(total, _)| total.is_believed)
    }

    fn add(&mut self, keys: &[LimitTotalKey], amount: Decimal) {
        for at in keys {
            if let Some((total, touched)) = self.0.get_mut(at) {
                total.amount += amount;
                if !std::mem::replace(touched, true) {
                    total.version += 1;
                }
            }
        }
    }

    /// Totals that are to be written, in key order.
    pub fn touched(self) -> Vec<LimitTotal> {
        self.0
            .into_values()
            .filter(|(_, touched)| *touched)
            .map(|(total, _)| total)
            .collect()
    }
}

#[cfg(test)]
#[path = "totals_tests.rs"]
mod tests;
