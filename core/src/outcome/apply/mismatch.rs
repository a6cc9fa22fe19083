//! Words of an order's own channel that can't be true.

use crate::cases::storable;
use crate::orders::Order;
use crate::orders::state::OrderInput;
use crate::outcome::report::OrderOutcome;
use crate::routing::Route;
use sluice_contract::order::OrderState;

/// Finds what the order's own channel says that can't be true.
pub(super) fn contradicts(order: &Order, outcome: &OrderOutcome) -> Option<String> {
    if outcome.event == OrderInput::Returned && order.state != OrderState::Returned {
        let route = Route::read(order.route.as_deref()).unwrap_or_default();
        let paid_too = route
            .recanted
            .into_iter()
            .find(|other| order.channel.as_ref() != Some(other));
        // Given back, the account would have its money while the other payment stands.
        if let Some(other) = paid_too {
            return Some(format!(
                "the channel gave it back, but {other} says that it paid"
            ));
        }
    }
    payment_mismatch(order, outcome)
}

/// Compares what the channel says of the payment with the order. An amount without a
/// currency is in the order's.
fn payment_mismatch(order: &Order, outcome: &OrderOutcome) -> Option<String> {
    let amount = outcome.amount.filter(|a| *a != order.amount);
    let currency = outcome.currency.filter(|c| *c != order.currency);
    if amount.is_some() || currency.is_some() {
        let said = (
            amount.unwrap_or(order.amount).normalize(),
            currency.unwrap_or(order.currency),
        );
        let known = (order.amount.normalize(), order.currency);
        return Some(format!(
            "the channel speaks of {} {}, the order of {} {}",
            said.0, said.1, known.0, known.1
        ));
    }
    let to = outcome
        .to_account
        .as_deref()
        .filter(|to| *to != order.to_account)?;
    Some(format!(
        "the channel speaks of account {}, the order of {}",
        storable(to),
        storable(&order.to_account)
    ))
}
