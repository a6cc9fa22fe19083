//! Refusals of the accept path.

use crate::balance::BookingError;
use crate::orders::names::RequestName;

/// Reason why a request was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    #[error("another request with this key is being processed; ask again")]
    InFlight,
    #[error("this key was used for another request")]
    KeyReused,
    #[error("this {} was used for another request: {field} differs", name.word())]
    Differs {
        name: RequestName,
        field: &'static str,
    },
    #[error("{0}")]
    BadPredecessor(&'static str),
    #[error("nothing is booked under this name that it could repeat")]
    NotRepeated,
    #[error("no such account")]
    UnknownAccount,
    #[error("the account has no balance in this currency")]
    UnknownBalance,
    #[error("available balance is smaller than the amount")]
    InsufficientFunds,
    #[error("the intermediate account has less free than the amount")]
    InsufficientCaptured,
    #[error("no such payment was captured for this account in this currency")]
    UnknownPayment,
    #[error("the payment came from another account: a refund goes back to who paid")]
    NotThePayer,
    #[error(
        "the payment's event named no payer, so it can't be refunded; see accept.refund_unknown_payer"
    )]
    UnknownPayer,
    #[error("refunds and settlements would exceed what the payment captured")]
    PaymentExceeded,
    #[error("this payment is captured already")]
    AlreadyCaptured,
    #[error("the balance would exceed its bound")]
    BalanceOverflow,
    #[error("too many requests wait; try again")]
    Overloaded,
    #[error("the database refused to book it; nothing was written")]
    Unbookable,
    #[error("the account's rows are locked by other work; nothing was booked, try again")]
    AccountLocked,
    #[error("the database can't be reached; nothing was booked unless a repeat says so")]
    Unavailable,
}

impl From<BookingError> for AcceptError {
    fn from(error: BookingError) -> Self {
        match error {
            BookingError::UnknownAccount => AcceptError::UnknownAccount,
            BookingError::UnknownBalance => AcceptError::UnknownBalance,
            BookingError::Insufficient => AcceptError::InsufficientFunds,
            BookingError::UnknownPayment => AcceptError::UnknownPayment,
            BookingError::NotThePayer => AcceptError::NotThePayer,
            BookingError::UnknownPayer => AcceptError::UnknownPayer,
            BookingError::PaymentExceeded => AcceptError::PaymentExceeded,
            BookingError::AlreadyBooked => AcceptError::AlreadyCaptured,
            BookingError::Overflow => AcceptError::BalanceOverflow,
        }
    }
}

impl AcceptError {
    /// Tells whether trying again may help: nothing is wrong with the request itself.
    pub fn is_transient(&self) -> bool {
        match self {
            AcceptError::InFlight
            | AcceptError::Overloaded
            | AcceptError::Unbookable
            | AcceptError::AccountLocked
            | AcceptError::Unavailable => true,
            AcceptError::KeyReused
            | AcceptError::Differs { .. }
            | AcceptError::BadPredecessor(_)
            | AcceptError::NotRepeated
            | AcceptError::UnknownAccount
            | AcceptError::UnknownBalance
            | AcceptError::InsufficientFunds
            | AcceptError::InsufficientCaptured
            | AcceptError::UnknownPayment
            | AcceptError::NotThePayer
            | AcceptError::UnknownPayer
            | AcceptError::PaymentExceeded
            | AcceptError::AlreadyCaptured
            | AcceptError::BalanceOverflow => false,
        }
    }
}
