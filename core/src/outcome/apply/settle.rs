//! Settles what outcomes book, on locked balances in memory.

use crate::balance::{Balance, CapturedPayment, LockedBooks};
use crate::outcome::apply::{AppliedOutcomes, OutcomeBooking};

/// Applies the bookings to the locked balances and captured payments; returns the
/// touched ones.
///
/// # Errors
/// An order's money that isn't there: the books were changed by somebody else.
/// The caller writes nothing.
pub fn settle(
    all: &AppliedOutcomes,
    locked: Vec<Balance>,
    captures: Vec<CapturedPayment>,
) -> anyhow::Result<(Vec<Balance>, Vec<CapturedPayment>)> {
    let mut books = LockedBooks::new(locked, captures);
    for OutcomeBooking {
        posting,
        kind,
        payment_no,
        ..
    } in &all.bookings
    {
        let sum = posting.sum(*kind, payment_no.as_deref());
        books.book(posting.kind, &sum).map_err(|e| {
            anyhow::anyhow!(
                "account {}: {e} ({})",
                posting.account_id,
                posting.posting_id
            )
        })?;
    }
    Ok(books.touched())
}
