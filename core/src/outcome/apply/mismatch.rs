//! Words of an order's own channel that can't be true.

use crate::cases::storable;
use crate::channels::EchoMismatch;
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
            .decline_reversed
            .into_iter()
            .find(|other| order.channel.as_ref() != Some(other));
        // Given back, the account would have its money while the other payment stands.
        if let Some(other) = paid_too {
            return Some(format!(
                "the channel gave it back, but {other} says that it paid"
            ));
        }
    }
    // A word that proves nothing may leave out what it likes.
    let proves = outcome.event != OrderInput::Unknown;
    let mut mismatches = outcome.echo.mismatches(order);
    let odd = mismatches.find(|odd| proves || odd.stated.is_some())?;
    Some(storable_text(&odd))
}

/// Writes the mismatch; a channel's text may be anything.
fn storable_text(odd: &EchoMismatch) -> String {
    let odd = EchoMismatch {
        stated: odd.stated.as_deref().map(storable),
        known: storable(&odd.known),
        ..odd.clone()
    };
    odd.to_string()
}
