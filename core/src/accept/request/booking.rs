//! Bookings that a request may ask for, a struct for each.

use crate::ledger::BookingAmount;
use rust_decimal::Decimal;
use sluice_contract::money::Currency;
use sluice_contract::order::OrderKind;

/// Takes money out of the account, as an order.
#[derive(Debug, Clone)]
pub struct WithdrawalBooking {
    pub account_id: String,
    pub kind: OrderKind,
    pub to_account: String,
    /// Major units of `currency`.
    pub amount: Decimal,
    pub currency: Currency,
    pub user_id: Option<String>,
    pub transaction_id: String,
    pub biz_no: Option<String>,
    pub channel: Option<String>,
    /// The payee's bank, for routing.
    pub bank: Option<String>,
    /// The captured payment that a refund or a settlement takes from.
    pub payment_no: Option<String>,
    /// The failed order of the same business number that this one tries again.
    pub predecessor_id: Option<String>,
    /// Whether a refund may go to anybody if nobody said who paid.
    pub unknown_payer_ok: bool,
}

/// Books a payment that an upstream received for the account.
#[derive(Debug, Clone)]
pub struct DepositBooking {
    pub account_id: String,
    pub amount: Decimal,
    pub currency: Currency,
    pub biz_no: String,
}

/// Books a payment that a payer made to the merchant: onto the merchant's
/// intermediate account, to be refunded or settled later.
#[derive(Debug, Clone)]
pub struct CaptureBooking {
    pub account_id: String,
    pub amount: Decimal,
    pub currency: Currency,
    /// The payment's own number, unique per account.
    pub payment_no: String,
    /// The account that paid, if the event named one.
    pub payer: Option<String>,
    /// Time of the event in its sender's clock, in µs; 0 if nobody said.
    pub event_time_us: i64,
}

impl WithdrawalBooking {
    pub fn sum(&self) -> BookingAmount<'_> {
        BookingAmount {
            account_id: &self.account_id,
            amount: self.amount,
            currency: self.currency,
            kind: self.kind,
            payment_no: self.payment_no.as_deref(),
            counterparty: Some(&self.to_account),
            unknown_payer_ok: self.unknown_payer_ok,
        }
    }
}

impl DepositBooking {
    pub fn sum(&self) -> BookingAmount<'_> {
        let (account_id, amount, currency) = (self.account_id.as_str(), self.amount, self.currency);
        BookingAmount {
            account_id,
            amount,
            currency,
            kind: OrderKind::CashOut,
            payment_no: None,
            counterparty: None,
            unknown_payer_ok: false,
        }
    }
}

impl CaptureBooking {
    pub fn sum(&self) -> BookingAmount<'_> {
        let (account_id, amount, currency) = (self.account_id.as_str(), self.amount, self.currency);
        BookingAmount {
            account_id,
            amount,
            currency,
            kind: OrderKind::CashOut,
            payment_no: Some(&self.payment_no),
            counterparty: self.payer.as_deref(),
            unknown_payer_ok: false,
        }
    }
}
