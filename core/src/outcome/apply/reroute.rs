//! Routes of orders that a channel declined for itself alone.

use crate::cases::storable;
use crate::orders::Order;
use crate::orders::state::OrderInput;
use crate::outcome::report::OrderOutcome;
use crate::routing::Route;
use sluice_contract::order::OrderKind;

/// Makes the route of an order that its channel declined for itself alone; `None` if it
/// goes through no other: its caller asked for this one, or it stays within the books.
pub(super) fn reroute(order: &Order, outcome: &OrderOutcome) -> Option<Route> {
    let channel = order
        .channel
        .as_deref()
        .filter(|_| order.kind != OrderKind::Settlement)?;
    // "No such trade" only lets the refusal of the last sending stand.
    let code = match outcome.event {
        OrderInput::NoSuchTrade => &order.result_code,
        _ => &outcome.code,
    };
    let code = code.as_deref().map_or("-".to_owned(), storable);
    Route::without(
        order.route.as_deref(),
        channel,
        &format!("declined it for itself alone: {code}"),
    )
}

/// Tells whether the order's last attempt went to the channel that it is with: not if that
/// is an earlier one that has reversed its decline.
pub(super) fn has_last_attempt(order: &Order) -> bool {
    let route = Route::read(order.route.as_deref()).unwrap_or_default();
    let is_with = |channel: &String| order.channel.as_ref() == Some(channel);
    !route.decline_reversed.iter().any(is_with) || route.tried.last().is_some_and(is_with)
}
