//! The books of a batch: locked balances and captured payments, changed in memory
//! by one booking after the other. Pure. Accepting, settling and the saga's step at
//! the balance service all change money here, so that one server and split books book alike.

use crate::balance::{Balance, BalanceError, BookingError, CapturedPayment};
use crate::ledger::{BookingAmount, PostingKind};
use sluice_contract::money::Currency;
use sluice_contract::order::OrderKind;
use std::collections::BTreeMap;

/// Locked rows; the flag of each tells whether this batch has changed it.
#[derive(Debug, Default)]
pub struct LockedBooks {
    balances: BTreeMap<(String, Currency), (Balance, bool)>,
    captures: BTreeMap<(String, String), (CapturedPayment, bool)>,
}

impl LockedBooks {
    pub fn new(locked: Vec<Balance>, captures: Vec<CapturedPayment>) -> Self {
        let keyed = locked
            .into_iter()
            .map(|b| ((b.account_id.clone(), b.currency), (b, false)));
        let named = captures
            .into_iter()
            .map(|c| ((c.account_id.clone(), c.payment_no.clone()), (c, false)));
        LockedBooks {
            balances: keyed.collect(),
            captures: named.collect(),
        }
    }

    /// Books `sum`, or changes nothing at all.
    pub fn book(&mut self, kind: PostingKind, sum: &BookingAmount<'_>) -> Result<(), BookingError> {
        let amount = sum.amount;
        match kind {
            PostingKind::Deposit => {
                self.open(sum);
                self.change(sum, |b| b.credit(amount))
            }
            PostingKind::Capture => self.capture(sum),
            PostingKind::Reserve => {
                // Asked first, without taking anything, so that whoever refuses
                // leaves both as they were.
                self.would(sum, |_| Ok(()))?;
                self.would_take(sum)?;
                self.change(sum, |b| b.reserve_for(sum.kind, amount))?;
                self.payment(sum, |c| c.take(sum.kind, amount))
            }
            PostingKind::Finalize => self.change(sum, |b| b.finalize_for(sum.kind, amount)),
            PostingKind::Release => {
                self.would(sum, |b| b.release_for(sum.kind, amount))?;
                self.payment(sum, |c| c.give_back(sum.kind, amount))?;
                self.change(sum, |b| b.release_for(sum.kind, amount))
            }
            PostingKind::Return => {
                self.would(sum, |b| b.give_back_for(sum.kind, amount))?;
                self.payment(sum, |c| c.give_back(sum.kind, amount))?;
                self.change(sum, |b| b.give_back_for(sum.kind, amount))
            }
        }
    }

    /// Hands out the rows that were changed, each one version on.
    pub fn touched(self) -> (Vec<Balance>, Vec<CapturedPayment>) {
        let balances = self
            .balances
            .into_values()
            .filter(|(_, touched)| *touched)
            .map(|(b, _)| b);
        let captures = self
            .captures
            .into_values()
            .filter(|(_, touched)| *touched)
            .map(|(c, _)| c);
        (balances.collect(), captures.collect())
    }

    fn capture(&mut self, sum: &BookingAmount<'_>) -> Result<(), BookingError> {
        let Some(payment_no) = sum.payment_no else {
            return Err(BookingError::UnknownPayment);
        };
        let key = (sum.account_id.to_owned(), payment_no.to_owned());
        if self.captures.contains_key(&key) {
            return Err(BookingError::AlreadyBooked);
        }
        self.open(sum);
        self.change(sum, |b| b.capture(sum.amount))?;
        let mut made = CapturedPayment::new(sum.account_id, payment_no, sum.amount, sum.currency);
        made.version = 1;
        made.payer = sum.counterparty.map(str::to_owned);
        self.captures.insert(key, (made, true));
        Ok(())
    }

    /// Notes the event time of a payment that was just captured, in µs.
    pub fn set_event_time(&mut self, account_id: &str, payment_no: &str, event_time_us: i64) {
        if let Some((capture, _)) = self
            .captures
            .get_mut(&(account_id.to_owned(), payment_no.to_owned()))
        {
            capture.event_time_us = event_time_us;
        }
    }

    fn payment(
        &mut self,
        sum: &BookingAmount<'_>,
        step: impl FnOnce(&mut CapturedPayment) -> Result<(), BalanceError>,
    ) -> Result<(), BookingError> {
        let Some(payment_no) = sum.payment_no else {
            return Ok(());
        };
        let found = self
            .captures
            .get_mut(&(sum.account_id.to_owned(), payment_no.to_owned()));
        let Some((capture, touched)) = found.filter(|(c, _)| c.currency == sum.currency) else {
            return Err(BookingError::UnknownPayment);
        };
        step(capture).map_err(|_| BookingError::PaymentExceeded)?;
        if !std::mem::replace(touched, true) {
            capture.version += 1;
        }
        Ok(())
    }

    /// Checks that the payment has that much left, and that a refund goes back to who paid;
    /// changes nothing.
    fn would_take(&self, sum: &BookingAmount<'_>) -> Result<(), BookingError> {
        let Some(payment_no) = sum.payment_no else {
            return Ok(());
        };
        match self
            .captures
            .get(&(sum.account_id.to_owned(), payment_no.to_owned()))
        {
            Some((capture, _)) if capture.currency == sum.currency => {
                if sum.kind == OrderKind::Refund {
                    capture.check_payee(sum.counterparty, sum.unknown_payer_ok)?;
                }
                let is_left = capture.left() >= sum.amount;
                is_left.then_some(()).ok_or(BookingError::PaymentExceeded)
            }
            Some(_) | None => Err(BookingError::UnknownPayment),
        }
    }

    /// Changes the balance; its version grows once in a batch.
    fn change(
        &mut self,
        sum: &BookingAmount<'_>,
        step: impl FnOnce(&mut Balance) -> Result<(), BalanceError>,
    ) -> Result<(), BookingError> {
        match self
            .balances
            .get_mut(&(sum.account_id.to_owned(), sum.currency))
        {
            Some((balance, touched)) => {
                step(balance)?;
                if !std::mem::replace(touched, true) {
                    balance.version += 1;
                }
                Ok(())
            }
            None => Err(self.unknown(sum.account_id)),
        }
    }

    /// Checks that the step would work; changes nothing.
    fn would(
        &self,
        sum: &BookingAmount<'_>,
        step: impl FnOnce(&mut Balance) -> Result<(), BalanceError>,
    ) -> Result<(), BookingError> {
        match self
            .balances
            .get(&(sum.account_id.to_owned(), sum.currency))
        {
            Some((balance, _)) => Ok(step(&mut balance.clone())?),
            None => Err(self.unknown(sum.account_id)),
        }
    }

    fn unknown(&self, account_id: &str) -> BookingError {
        let from = (account_id.to_owned(), Currency::LOWEST);
        let knows = self
            .balances
            .range(from..)
            .next()
            .is_some_and(|((id, _), _)| id == account_id);
        if knows {
            BookingError::UnknownBalance
        } else {
            BookingError::UnknownAccount
        }
    }

    fn open(&mut self, sum: &BookingAmount<'_>) {
        let key = (sum.account_id.to_owned(), sum.currency);
        self.balances
            .entry(key)
            .or_insert_with(|| (Balance::empty(sum.account_id, sum.currency), false));
    }
}

#[cfg(test)]
#[path = "books_tests.rs"]
mod tests;
