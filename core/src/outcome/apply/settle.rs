//! Settles what outcomes book and give back, on locked balances and totals in memory.

use crate::balance::{Balance, CapturedPayment, LockedBooks};
use crate::cases::{self, CaseKind, OrderCase};
use crate::orders::Order;
use crate::outcome::apply::{AppliedOutcomes, OutcomeBooking};
use crate::routing::limits::{LimitTotals, LimitUsage};
use std::collections::BTreeMap;

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

/// Gives back to the locked totals what these orders took. A total that has less is a case
/// of the order.
pub fn give_back(
    totals: &mut LimitTotals,
    freed: &BTreeMap<String, LimitUsage>,
    orders: &BTreeMap<String, Order>,
) -> Vec<OrderCase> {
    let mut found = Vec::new();
    for usage in freed.values() {
        let short = totals.give_back(&usage.keys, usage.amount);
        let Some(order) = orders.get(&usage.order_id).filter(|_| !short.is_empty()) else {
            continue;
        };
        let detail = format!(
            "{} had less than the {} to be given back: somebody else changed it",
            short.join(", "),
            usage.amount.normalize()
        );
        tracing::error!(order = %order.order_id, account = %order.account_id, "limit total: {detail}");
        found.push(OrderCase {
            account_id: order.account_id.clone(),
            order_id: order.order_id.clone(),
            kind: CaseKind::LimitTotal,
            detail: cases::detail(&detail),
        });
    }
    found
}
