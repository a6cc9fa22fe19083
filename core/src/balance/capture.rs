//! Captured payments: what of each was refunded or settled, or is about to be.
//! refunded + settled ≤ captured, whatever comes at the same time: the row is
//! locked by whoever changes it.

use crate::balance::{BalanceError, BookingError};
use rust_decimal::Decimal;
use sluice_contract::money::Currency;
use sluice_contract::order::OrderKind;

/// One captured payment, in major units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapturedPayment {
    pub account_id: String,
    pub payment_no: String,
    /// The account that paid, if its event named one.
    pub payer: Option<String>,
    pub currency: Currency,
    pub captured: Decimal,
    pub refunded: Decimal,
    pub settled: Decimal,
    /// Time of the payment's event in its sender's clock, in µs; 0 if nobody said.
    pub event_time_us: i64,
    /// Grows by one with every transaction that touches the row.
    pub version: i64,
}

impl CapturedPayment {
    pub fn new(account_id: &str, payment_no: &str, amount: Decimal, currency: Currency) -> Self {
        CapturedPayment {
            account_id: account_id.to_owned(),
            payment_no: payment_no.to_owned(),
            payer: None,
            currency,
            captured: amount,
            refunded: Decimal::ZERO,
            settled: Decimal::ZERO,
            event_time_us: 0,
            version: 0,
        }
    }

    /// Tells how much may still be refunded or settled.
    pub fn left(&self) -> Decimal {
        self.captured - self.refunded - self.settled
    }

    /// Checks that a refund goes back to who paid.
    ///
    /// # Errors
    /// Another payee; or nobody said who paid, and that is not `unknown_ok`.
    pub fn check_payee(&self, payee: Option<&str>, unknown_ok: bool) -> Result<(), BookingError> {
        match self.payer.as_deref() {
            Some(payer) if payee == Some(payer) => Ok(()),
            Some(_) => Err(BookingError::NotThePayer),
            None if unknown_ok => Ok(()),
            None => Err(BookingError::UnknownPayer),
        }
    }

    /// Takes `amount` for an order of this kind.
    pub fn take(&mut self, kind: OrderKind, amount: Decimal) -> Result<(), BalanceError> {
        if self.left() < amount {
            return Err(BalanceError::Insufficient);
        }
        *self.part(kind) += amount;
        Ok(())
    }

    /// Gives back what an order took that did not pay, or whose money came back.
    pub fn give_back(&mut self, kind: OrderKind, amount: Decimal) -> Result<(), BalanceError> {
        let part = self.part(kind);
        if *part < amount {
            return Err(BalanceError::NotReserved);
        }
        *part -= amount;
        Ok(())
    }

    fn part(&mut self, kind: OrderKind) -> &mut Decimal {
        match kind {
            OrderKind::Settlement => &mut self.settled,
            OrderKind::Refund | OrderKind::CashOut => &mut self.refunded,
        }
    }
}
