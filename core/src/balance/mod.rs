//! The balance service: what an account has, can use, and has promised.

pub mod books;
pub mod capture;
pub mod repo;

pub use books::{BookError, Books, Sum};
pub use capture::Capture;

use rust_decimal::Decimal;
use sluice_contract::money::Currency;
use sluice_contract::order::Kind;

/// One account in one currency, in major units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    pub account_id: String,
    pub currency: Currency,
    pub available: Decimal,
    pub reserved: Decimal,
    /// Captured and not settled yet (中间户), free for refunds and settlements.
    pub intermediate: Decimal,
    /// Of the intermediate account, what refunds and settlements under way hold.
    pub intermediate_reserved: Decimal,
    /// Grows by one with every transaction that touches the row.
    pub version: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BalanceError {
    #[error("available balance is smaller than the amount")]
    Insufficient,
    #[error("the balance would no longer fit its column")]
    Overflow,
    #[error("less is reserved than the order reserved")]
    NotReserved,
}

/// Largest balance of an account, 10^16: the column's own bound.
const MOST: Decimal = Decimal::from_parts(0x6FC1_0000, 0x0023_86F2, 0, false, 0);

impl Balance {
    pub fn empty(account_id: &str, currency: Currency) -> Self {
        Balance {
            account_id: account_id.to_owned(),
            currency,
            available: Decimal::ZERO,
            reserved: Decimal::ZERO,
            intermediate: Decimal::ZERO,
            intermediate_reserved: Decimal::ZERO,
            version: 0,
        }
    }

    /// available + reserved; both are bounded, so this can't overflow.
    pub fn total(&self) -> Decimal {
        self.available + self.reserved
    }

    /// Money comes in.
    pub fn credit(&mut self, amount: Decimal) -> Result<(), BalanceError> {
        self.fits(amount)?;
        self.available += amount;
        Ok(())
    }

    /// A payment comes onto the intermediate account, or back to it.
    pub fn capture(&mut self, amount: Decimal) -> Result<(), BalanceError> {
        self.fits(amount)?;
        self.intermediate += amount;
        Ok(())
    }

    /// All four parts together stay below the column's bound, so that no move
    /// between them can overflow.
    fn fits(&self, amount: Decimal) -> Result<(), BalanceError> {
        let held = self.total() + self.intermediate + self.intermediate_reserved;
        if held + amount >= MOST {
            Err(BalanceError::Overflow)
        } else {
            Ok(())
        }
    }

    /// The money of an order is set aside: from what is available, or from the
    /// intermediate account for refunds and settlements.
    pub fn reserve_for(&mut self, kind: Kind, amount: Decimal) -> Result<(), BalanceError> {
        match kind {
            Kind::CashOut => self.reserve(amount),
            Kind::Refund | Kind::Settlement => {
                if self.intermediate < amount {
                    return Err(BalanceError::Insufficient);
                }
                self.intermediate -= amount;
                self.intermediate_reserved += amount;
                Ok(())
            }
        }
    }

    /// The order was paid: its money is gone, or settled onto the account.
    pub fn finalize_for(&mut self, kind: Kind, amount: Decimal) -> Result<(), BalanceError> {
        match kind {
            Kind::CashOut => self.finalize(amount),
            Kind::Refund => self.unhold(amount),
            Kind::Settlement => {
                self.unhold(amount)?;
                self.available += amount;
                Ok(())
            }
        }
    }

    /// The order was not paid: its money is free again.
    pub fn release_for(&mut self, kind: Kind, amount: Decimal) -> Result<(), BalanceError> {
        match kind {
            Kind::CashOut => self.release(amount),
            Kind::Refund | Kind::Settlement => {
                self.unhold(amount)?;
                self.intermediate += amount;
                Ok(())
            }
        }
    }

    /// The channel gave the money back after paying.
    pub fn give_back_for(&mut self, kind: Kind, amount: Decimal) -> Result<(), BalanceError> {
        match kind {
            Kind::CashOut => self.credit(amount),
            Kind::Refund | Kind::Settlement => self.capture(amount),
        }
    }

    fn unhold(&mut self, amount: Decimal) -> Result<(), BalanceError> {
        if self.intermediate_reserved < amount {
            return Err(BalanceError::NotReserved);
        }
        self.intermediate_reserved -= amount;
        Ok(())
    }

    /// available → reserved.
    pub fn reserve(&mut self, amount: Decimal) -> Result<(), BalanceError> {
        if self.available < amount {
            return Err(BalanceError::Insufficient);
        }
        self.available -= amount;
        self.reserved += amount;
        Ok(())
    }

    /// reserved → available.
    pub fn release(&mut self, amount: Decimal) -> Result<(), BalanceError> {
        self.finalize(amount)?;
        self.available += amount;
        Ok(())
    }

    /// reserved → gone.
    pub fn finalize(&mut self, amount: Decimal) -> Result<(), BalanceError> {
        if self.reserved < amount {
            return Err(BalanceError::NotReserved);
        }
        self.reserved -= amount;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_sequence_of_steps_loses_or_makes_money(
            steps in proptest::collection::vec((0u8..6, 0usize..3, 1i64..1_000), 0..80)
        ) {
            let mut balance = Balance::empty("a", "CNY".parse().unwrap());
            let (mut came, mut left) = (Decimal::ZERO, Decimal::ZERO);
            for (step, kind, cents) in steps {
                let (kind, amount) = (Kind::ALL[kind], Decimal::new(cents, 2));
                match step {
                    0 => { balance.credit(amount).unwrap(); came += amount; }
                    1 => { balance.capture(amount).unwrap(); came += amount; }
                    2 => { let _ = balance.reserve_for(kind, amount); }
                    3 => { let _ = balance.release_for(kind, amount); }
                    4 => { balance.give_back_for(kind, amount).unwrap(); came += amount; }
                    _ => if balance.finalize_for(kind, amount).is_ok() && kind != Kind::Settlement { left += amount; }
                }
                let parts = [balance.available, balance.reserved, balance.intermediate, balance.intermediate_reserved];
                prop_assert!(parts.iter().all(|p| *p >= Decimal::ZERO));
                prop_assert_eq!(parts.iter().sum::<Decimal>(), came - left);
            }
        }

        #[test]
        fn never_more_is_refunded_and_settled_than_was_captured(
            steps in proptest::collection::vec((any::<bool>(), any::<bool>(), 1i64..500), 0..60)
        ) {
            let mut capture = Capture::new("a", "p", Decimal::new(1_000, 2), "CNY".parse().unwrap());
            for (take, refund, cents) in steps {
                let (kind, amount) = (if refund { Kind::Refund } else { Kind::Settlement }, Decimal::new(cents, 2));
                let _ = if take { capture.take(kind, amount) } else { capture.give_back(kind, amount) };
                prop_assert!(capture.left() >= Decimal::ZERO);
                prop_assert!(capture.refunded >= Decimal::ZERO && capture.settled >= Decimal::ZERO);
            }
        }
    }

    #[test]
    fn the_bound_is_the_columns() {
        assert_eq!(MOST.to_string(), "10000000000000000");
    }
}
