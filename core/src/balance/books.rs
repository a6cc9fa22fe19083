//! The books of a batch: locked balances and captured payments, changed in memory
//! by one booking after the other. Pure. Accepting, settling and the saga's step at
//! the balance service all change money here, so that together and apart book alike.

use super::{Balance, BalanceError, Capture};
use crate::ledger::PostingKind;
use rust_decimal::Decimal;
use sluice_contract::money::Currency;
use sluice_contract::order::Kind;
use std::collections::BTreeMap;
use std::str::FromStr;

/// Why a booking changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    #[error("no such account")]
    UnknownAccount,
    #[error("the account has no balance in this currency")]
    UnknownBalance,
    #[error("less is there than the booking takes")]
    Insufficient,
    #[error("no such payment was captured for this account in this currency")]
    UnknownPayment,
    #[error("more would be taken of the payment, or given back to it, than there is")]
    PaymentExceeded,
    #[error("this payment is booked already")]
    AlreadyBooked,
    #[error("the balance would no longer fit its column")]
    Overflow,
}

impl BookError {
    pub const ALL: [BookError; 7] = [
        BookError::UnknownAccount,
        BookError::UnknownBalance,
        BookError::Insufficient,
        BookError::UnknownPayment,
        BookError::PaymentExceeded,
        BookError::AlreadyBooked,
        BookError::Overflow,
    ];

    /// As it is stored; at most 20 characters.
    pub fn as_str(self) -> &'static str {
        match self {
            BookError::UnknownAccount => "unknown_account",
            BookError::UnknownBalance => "unknown_balance",
            BookError::Insufficient => "insufficient_funds",
            BookError::UnknownPayment => "unknown_payment",
            BookError::PaymentExceeded => "payment_exceeded",
            BookError::AlreadyBooked => "already_booked",
            BookError::Overflow => "overflow",
        }
    }
}

impl FromStr for BookError {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let found = BookError::ALL.into_iter().find(|e| e.as_str() == text);
        found.ok_or_else(|| anyhow::anyhow!("unknown outcome of a booking {text:?}"))
    }
}

impl From<BalanceError> for BookError {
    fn from(error: BalanceError) -> Self {
        match error {
            BalanceError::Insufficient | BalanceError::NotReserved => BookError::Insufficient,
            BalanceError::Overflow => BookError::Overflow,
        }
    }
}

/// Whose money, how much of it, and for what kind of order.
#[derive(Debug, Clone, Copy)]
pub struct Sum<'a> {
    pub account_id: &'a str,
    /// Major units of `currency`.
    pub amount: Decimal,
    pub currency: Currency,
    pub kind: Kind,
    /// The captured payment that is made, taken from, or given back to.
    pub payment_no: Option<&'a str>,
}

/// Locked rows, each with whether this batch has changed it.
#[derive(Debug, Default)]
pub struct Books {
    balances: BTreeMap<(String, Currency), (Balance, bool)>,
    captures: BTreeMap<(String, String), (Capture, bool)>,
}

impl Books {
    pub fn new(locked: Vec<Balance>, captures: Vec<Capture>) -> Self {
        let keyed = locked
            .into_iter()
            .map(|b| ((b.account_id.clone(), b.currency), (b, false)));
        let named = captures
            .into_iter()
            .map(|c| ((c.account_id.clone(), c.payment_no.clone()), (c, false)));
        Books {
            balances: keyed.collect(),
            captures: named.collect(),
        }
    }

    /// Books `sum`, or changes nothing at all.
    pub fn book(&mut self, what: PostingKind, sum: &Sum<'_>) -> Result<(), BookError> {
        let amount = sum.amount;
        match what {
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

    /// The rows that were changed, each one version on.
    pub fn touched(self) -> (Vec<Balance>, Vec<Capture>) {
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

    fn capture(&mut self, sum: &Sum<'_>) -> Result<(), BookError> {
        let Some(payment_no) = sum.payment_no else {
            return Err(BookError::UnknownPayment);
        };
        let key = (sum.account_id.to_owned(), payment_no.to_owned());
        if self.captures.contains_key(&key) {
            return Err(BookError::AlreadyBooked);
        }
        self.open(sum);
        self.change(sum, |b| b.capture(sum.amount))?;
        let mut made = Capture::new(sum.account_id, payment_no, sum.amount, sum.currency);
        made.version = 1;
        self.captures.insert(key, (made, true));
        Ok(())
    }

    /// When the payment that was just captured was told.
    pub fn told(&mut self, account_id: &str, payment_no: &str, event_time_us: i64) {
        if let Some((capture, _)) = self
            .captures
            .get_mut(&(account_id.to_owned(), payment_no.to_owned()))
        {
            capture.event_time_us = event_time_us;
        }
    }

    fn payment(
        &mut self,
        sum: &Sum<'_>,
        step: impl FnOnce(&mut Capture) -> Result<(), BalanceError>,
    ) -> Result<(), BookError> {
        let Some(payment_no) = sum.payment_no else {
            return Ok(());
        };
        let found = self
            .captures
            .get_mut(&(sum.account_id.to_owned(), payment_no.to_owned()));
        let Some((capture, touched)) = found.filter(|(c, _)| c.currency == sum.currency) else {
            return Err(BookError::UnknownPayment);
        };
        step(capture).map_err(|_| BookError::PaymentExceeded)?;
        if !std::mem::replace(touched, true) {
            capture.version += 1;
        }
        Ok(())
    }

    /// Whether the payment has that much left; changes nothing.
    fn would_take(&self, sum: &Sum<'_>) -> Result<(), BookError> {
        let Some(payment_no) = sum.payment_no else {
            return Ok(());
        };
        match self
            .captures
            .get(&(sum.account_id.to_owned(), payment_no.to_owned()))
        {
            Some((capture, _))
                if capture.currency == sum.currency && capture.left() >= sum.amount =>
            {
                Ok(())
            }
            Some((capture, _)) if capture.currency == sum.currency => {
                Err(BookError::PaymentExceeded)
            }
            _ => Err(BookError::UnknownPayment),
        }
    }

    /// Changes the balance; its version grows once in a batch.
    fn change(
        &mut self,
        sum: &Sum<'_>,
        step: impl FnOnce(&mut Balance) -> Result<(), BalanceError>,
    ) -> Result<(), BookError> {
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

    /// Whether the step would work; changes nothing.
    fn would(
        &self,
        sum: &Sum<'_>,
        step: impl FnOnce(&mut Balance) -> Result<(), BalanceError>,
    ) -> Result<(), BookError> {
        match self
            .balances
            .get(&(sum.account_id.to_owned(), sum.currency))
        {
            Some((balance, _)) => Ok(step(&mut balance.clone())?),
            None => Err(self.unknown(sum.account_id)),
        }
    }

    fn unknown(&self, account_id: &str) -> BookError {
        let from = (account_id.to_owned(), Currency::LOWEST);
        let knows = self
            .balances
            .range(from..)
            .next()
            .is_some_and(|((id, _), _)| id == account_id);
        if knows {
            BookError::UnknownBalance
        } else {
            BookError::UnknownAccount
        }
    }

    fn open(&mut self, sum: &Sum<'_>) {
        let key = (sum.account_id.to_owned(), sum.currency);
        self.balances
            .entry(key)
            .or_insert_with(|| (Balance::empty(sum.account_id, sum.currency), false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(amount: i64, kind: Kind, payment_no: Option<&str>) -> Sum<'_> {
        Sum {
            account_id: "A",
            amount: Decimal::from(amount),
            currency: "CNY".parse().unwrap(),
            kind,
            payment_no,
        }
    }

    #[test]
    fn a_booking_that_fails_changes_nothing() {
        let mut books = Books::default();
        books
            .book(PostingKind::Capture, &sum(10, Kind::CashOut, Some("p")))
            .unwrap();
        books
            .book(PostingKind::Capture, &sum(10, Kind::CashOut, Some("q")))
            .unwrap();
        assert_eq!(
            books.book(PostingKind::Capture, &sum(9, Kind::CashOut, Some("p"))),
            Err(BookError::AlreadyBooked)
        );
        let refused = books.book(PostingKind::Reserve, &sum(11, Kind::Refund, Some("p")));
        assert_eq!(refused, Err(BookError::PaymentExceeded));
        let given = books.book(PostingKind::Return, &sum(1, Kind::Refund, Some("p")));
        assert_eq!(given, Err(BookError::PaymentExceeded));
        let (balances, captures) = books.touched();
        assert_eq!(
            (balances[0].intermediate, balances[0].version),
            (Decimal::from(20), 1)
        );
        assert!(captures.iter().all(|c| c.left() == Decimal::from(10)));
    }

    #[test]
    fn outcomes_are_read_back_and_fit_their_column() {
        for error in BookError::ALL {
            assert_eq!(error.as_str().parse::<BookError>().unwrap(), error);
            assert!(error.as_str().len() <= 20);
        }
    }
}
