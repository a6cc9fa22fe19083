//! Requests as they reach the writers: checked, and under their callers' keys; and what is
//! answered to them.

mod answer;
mod booking;
mod error;
mod names;

pub use answer::{AcceptResult, AcceptedRequest, replay};
pub use booking::{CaptureBooking, DepositBooking, WithdrawalBooking};
pub use error::AcceptError;

use crate::balance::BookingError;
use sluice_contract::order::OrderKind;
use sluice_contract::traces::RequestOrigin;

/// A checked request, ready to be booked.
#[derive(Debug, Clone)]
pub enum BookingRequest {
    Withdraw(WithdrawalBooking),
    Deposit(DepositBooking),
    Capture(CaptureBooking),
}

impl BookingRequest {
    /// Words a refusal of the balance by where the request's money would come from.
    pub fn refusal(&self, error: BookingError) -> AcceptError {
        if error == BookingError::Insufficient && self.is_from_captured() {
            AcceptError::InsufficientCaptured
        } else {
            error.into()
        }
    }

    fn is_from_captured(&self) -> bool {
        match self {
            BookingRequest::Withdraw(w) => match w.kind {
                OrderKind::CashOut => false,
                OrderKind::Refund | OrderKind::Settlement => true,
            },
            BookingRequest::Deposit(_) | BookingRequest::Capture(_) => false,
        }
    }

    /// Names the captured payment that is made or taken from: account and number.
    pub fn payment(&self) -> Option<(&str, &str)> {
        match self {
            BookingRequest::Withdraw(w) => Some((&w.account_id, w.payment_no.as_deref()?)),
            BookingRequest::Deposit(_) => None,
            BookingRequest::Capture(c) => Some((&c.account_id, &c.payment_no)),
        }
    }

    /// Names who made the captured payment, or who is to get it back.
    pub fn counterparty(&self) -> Option<&str> {
        match self {
            BookingRequest::Withdraw(w) if w.kind == OrderKind::Refund => Some(&w.to_account),
            BookingRequest::Withdraw(_) | BookingRequest::Deposit(_) => None,
            BookingRequest::Capture(c) => c.payer.as_deref(),
        }
    }

    pub fn account_id(&self) -> &str {
        match self {
            BookingRequest::Withdraw(w) => &w.account_id,
            BookingRequest::Deposit(d) => &d.account_id,
            BookingRequest::Capture(c) => &c.account_id,
        }
    }
}

/// A request under its caller's key, with a hash over its fields: the same key may only
/// ask for the same again.
#[derive(Debug, Clone)]
pub struct IdempotentRequest {
    pub client: String,
    /// The user for whom the client asks, if it has users of its own: one user's names are
    /// never another's. Empty for none; 64 bytes at most.
    pub scope: String,
    pub key: String,
    pub request_hash: String,
    pub booking: BookingRequest,
    /// Let in as a repeat, beyond its caller's bounds: answered if it was booked before, and
    /// never booked anew, though its key may be freed in the meantime.
    pub repeat_only: bool,
    /// Of the request; no part of what is asked.
    pub origin: RequestOrigin,
}
