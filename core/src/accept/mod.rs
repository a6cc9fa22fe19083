//! Accepting by group commit: requests that arrive together share one
//! transaction over keys, orders, balances, entries and a signed outbox row.
//! Each caller gets its own result; one caller's failure never fails a neighbour.

mod answer;
mod booking;
mod error;
mod request;

mod failure;

pub mod decide;
pub mod split_books;
pub mod transaction;
pub mod writer;

mod acceptor;

pub use acceptor::Acceptor;
pub use answer::{AcceptResult, AcceptedRequest, replay};
pub use booking::{CaptureBooking, DepositBooking, WithdrawalBooking};
pub use error::AcceptError;
pub use request::{BookingRequest, IdempotentRequest};
