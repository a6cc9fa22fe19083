//! Why an order isn't on its way, in words: worked out when somebody asks. Writing
//! it down for every waiting order would cost more than the waiting.

use crate::channels::INTERNAL_CHANNEL;
use crate::guard::breakers::OpenBreakers;
use crate::orders::Order;
use crate::routing::Route;
use sluice_contract::order::{OrderKind, OrderState};

/// What the order waits for; `None` once it has ended. `stalled` is the fence's
/// reason, and `held` whether its account's booking is still unconfirmed.
pub fn blocking_reason(
    order: &Order,
    stalled: Option<&str>,
    tripped: &OpenBreakers,
    held: bool,
) -> Option<String> {
    let reason = match order.state {
        OrderState::Booking => "its reservation on the balance service".to_owned(),
        OrderState::Init => turn(order, stalled, tripped, held),
        OrderState::Dispatching => "the channel's answer".to_owned(),
        OrderState::Processing => "the channel's result".to_owned(),
        OrderState::InDoubt => "a clear answer; the channel is being asked".to_owned(),
        OrderState::Manual => "a person's decision".to_owned(),
        OrderState::Success | OrderState::Failed | OrderState::Returned => return None,
    };
    Some(reason)
}

/// What stands before the claim, in the order of its gates.
fn turn(order: &Order, stalled: Option<&str>, tripped: &OpenBreakers, held: bool) -> String {
    if let Some(stalled) = stalled {
        return format!("fence: {stalled}");
    }
    let usual = match order.kind {
        OrderKind::Settlement => INTERNAL_CHANNEL,
        OrderKind::CashOut | OrderKind::Refund => "",
    };
    let channel = order.channel.as_deref().unwrap_or(usual);
    if let Some((breaker, why)) = tripped.stops(order, channel) {
        return format!("breaker {breaker} is open: {why}");
    }
    if held {
        return "the account's booking is not confirmed yet".to_owned();
    }
    match Route::read(order.route.as_deref()).filter(|r| r.chosen.is_none()) {
        Some(route) => format!("a route: {route}"),
        None => "its turn: fence token, then a free call permit of the channel".to_owned(),
    }
}
