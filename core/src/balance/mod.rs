//! The balance service: what an account has, can use, and has promised.

pub mod repo;

use rust_decimal::Decimal;
use sluice_contract::money::Currency;

/// One account in one currency, in major units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    pub account_id: String,
    pub currency: Currency,
    pub available: Decimal,
    pub reserved: Decimal,
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
            version: 0,
        }
    }

    /// available + reserved; both are bounded, so this can't overflow.
    pub fn total(&self) -> Decimal {
        self.available + self.reserved
    }

    /// Money comes in.
    pub fn credit(&mut self, amount: Decimal) -> Result<(), BalanceError> {
        if self.total() + amount >= MOST {
            return Err(BalanceError::Overflow);
        }
        self.available += amount;
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
        fn no_sequence_of_steps_loses_or_makes_money(steps in proptest::collection::vec((0u8..4, 1i64..1_000), 0..60)) {
            let currency = "CNY".parse().unwrap();
            let mut balance = Balance::empty("a", currency);
            let (mut came, mut left) = (Decimal::ZERO, Decimal::ZERO);
            for (step, cents) in steps {
                let amount = Decimal::new(cents, 2);
                match step {
                    0 => { balance.credit(amount).unwrap(); came += amount; }
                    1 => { let _ = balance.reserve(amount); }
                    2 => { let _ = balance.release(amount); }
                    _ => if balance.finalize(amount).is_ok() { left += amount; }
                }
                prop_assert!(balance.available >= Decimal::ZERO && balance.reserved >= Decimal::ZERO);
                prop_assert_eq!(balance.total(), came - left);
            }
        }
    }

    #[test]
    fn the_bound_is_the_columns() {
        assert_eq!(MOST.to_string(), "10000000000000000");
    }
}
