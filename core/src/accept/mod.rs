//! Accepting by group commit: requests that arrive together share one
//! transaction over keys, orders, balances, entries and a signed outbox row.
//! Each caller gets its own result; one caller's failure never fails a neighbour.

mod request;

mod failure;
mod known;

pub mod decide;
pub mod transaction;

pub mod split_books;
mod split_intent;
mod split_keys;
mod split_open;

mod acceptor;
mod writer;

pub use acceptor::Acceptor;
pub use request::{
    AcceptError, AcceptResult, AcceptedRequest, BookingRequest, CaptureBooking, DepositBooking,
    IdempotentRequest, WithdrawalBooking, replay,
};
