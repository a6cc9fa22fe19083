//! Refusals of bookings.

use crate::balance::BalanceError;
use sluice_contract::string_enum;

string_enum! {
    /// Reason why a booking changes nothing; the word is stored with a booking's result,
    /// and has at most 20 characters.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum BookingError("outcome of a booking") {
        #[error("no such account")]
        UnknownAccount = "unknown_account",
        #[error("the account has no balance in this currency")]
        UnknownBalance = "unknown_balance",
        #[error("less is there than the booking takes")]
        Insufficient = "insufficient_funds",
        #[error("no such payment was captured for this account in this currency")]
        UnknownPayment = "unknown_payment",
        #[error("the payment came from another account: a refund goes back to who paid")]
        NotThePayer = "not_the_payer",
        #[error("nobody said who made the payment, so it can't be refunded")]
        UnknownPayer = "unknown_payer",
        #[error("more would be taken of the payment, or given back to it, than there is")]
        PaymentExceeded = "payment_exceeded",
        #[error("this payment is booked already")]
        AlreadyBooked = "already_booked",
        #[error("the balance would no longer fit its column")]
        Overflow = "overflow",
    }
}

impl From<BalanceError> for BookingError {
    fn from(error: BalanceError) -> Self {
        match error {
            BalanceError::Insufficient | BalanceError::NotReserved => BookingError::Insufficient,
            BalanceError::Overflow => BookingError::Overflow,
        }
    }
}
