//! Balance of one account in one currency, and the moves between its parts.

use rust_decimal::Decimal;
use sluice_contract::money::Currency;
use sluice_contract::order::OrderKind;

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

/// Reason why a move between the parts of a balance is refused.
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
const MAX_BALANCE: Decimal = Decimal::from_parts(0x6FC1_0000, 0x0023_86F2, 0, false, 0);

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

    /// Adds up available + reserved; both are bounded, so this can't overflow.
    pub fn total(&self) -> Decimal {
        self.available + self.reserved
    }

    /// Credits money that comes in.
    pub fn credit(&mut self, amount: Decimal) -> Result<(), BalanceError> {
        self.fits(amount)?;
        self.available += amount;
        Ok(())
    }

    /// Captures a payment onto the intermediate account, or back to it.
    pub fn capture(&mut self, amount: Decimal) -> Result<(), BalanceError> {
        self.fits(amount)?;
        self.intermediate += amount;
        Ok(())
    }

    /// Checks that all four parts together stay below the column's bound, so that no move
    /// between them can overflow.
    fn fits(&self, amount: Decimal) -> Result<(), BalanceError> {
        let held = self.total() + self.intermediate + self.intermediate_reserved;
        if held + amount >= MAX_BALANCE {
            Err(BalanceError::Overflow)
        } else {
            Ok(())
        }
    }

    /// Reserves the money of an order: from what is available, or from the
    /// intermediate account for refunds and settlements.
    pub fn reserve_for(&mut self, kind: OrderKind, amount: Decimal) -> Result<(), BalanceError> {
        match kind {
            OrderKind::CashOut => self.reserve(amount),
            OrderKind::Refund | OrderKind::Settlement => {
                if self.intermediate < amount {
                    return Err(BalanceError::Insufficient);
                }
                self.intermediate -= amount;
                self.intermediate_reserved += amount;
                Ok(())
            }
        }
    }

    /// Finalizes an order that was paid: its money is gone, or settled onto the account.
    pub fn finalize_for(&mut self, kind: OrderKind, amount: Decimal) -> Result<(), BalanceError> {
        match kind {
            OrderKind::CashOut => self.finalize(amount),
            OrderKind::Refund => self.unhold(amount),
            OrderKind::Settlement => {
                self.unhold(amount)?;
                self.available += amount;
                Ok(())
            }
        }
    }

    /// Releases the money of an order that was not paid.
    pub fn release_for(&mut self, kind: OrderKind, amount: Decimal) -> Result<(), BalanceError> {
        match kind {
            OrderKind::CashOut => self.release(amount),
            OrderKind::Refund | OrderKind::Settlement => {
                self.unhold(amount)?;
                self.intermediate += amount;
                Ok(())
            }
        }
    }

    /// Takes back money that the channel gave back after paying.
    pub fn give_back_for(&mut self, kind: OrderKind, amount: Decimal) -> Result<(), BalanceError> {
        match kind {
            OrderKind::CashOut => self.credit(amount),
            OrderKind::Refund | OrderKind::Settlement => self.capture(amount),
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
#[path = "tests.rs"]
mod tests;
