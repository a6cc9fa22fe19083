//! The balance service: what an account has, can use, and has promised.

mod account;
mod booking_error;

pub mod books;
pub mod capture;
pub mod repo;

pub use account::{Balance, BalanceError};
pub use booking_error::BookingError;
pub use books::LockedBooks;
pub use capture::CapturedPayment;

pub use crate::ledger::BookingAmount;
