//! Why an order isn't on its way, in words: worked out when somebody asks. Writing
//! it down for every waiting order would cost more than the waiting.

use crate::channels::INTERNAL;
use crate::guard::breakers::Tripped;
use crate::orders::Order;
use crate::routing::Route;
use sluice_contract::order::{Kind, State};

/// What the order waits for; `None` once it has ended. `stalled` is the fence's
/// reason, and `held` whether its account's booking is still unconfirmed.
pub fn waits_for(
    order: &Order,
    stalled: Option<&str>,
    tripped: &Tripped,
    held: bool,
) -> Option<String> {
    let reason = match order.state {
        State::Booking => "its reservation on the balance service".to_owned(),
        State::Init => turn(order, stalled, tripped, held),
        State::Dispatching => "the channel's answer".to_owned(),
        State::Processing => "the channel's result".to_owned(),
        State::InDoubt => "a clear answer; the channel is being asked".to_owned(),
        State::Manual => "a person's decision".to_owned(),
        State::Success | State::Failed | State::Returned => return None,
    };
    Some(reason)
}

/// What stands before the claim, in the claim's own order.
fn turn(order: &Order, stalled: Option<&str>, tripped: &Tripped, held: bool) -> String {
    let usual = if order.kind == Kind::Settlement {
        INTERNAL
    } else {
        ""
    };
    let unrouted = Route::read(order.route.as_deref()).filter(|r| r.chosen.is_none());
    match (
        stalled,
        tripped.stops(order, order.channel.as_deref().unwrap_or(usual)),
        unrouted,
    ) {
        (Some(stalled), ..) => format!("fence: {stalled}"),
        (None, Some((breaker, why)), _) => format!("breaker {breaker} is open: {why}"),
        (None, None, _) if held => "the account's booking is not confirmed yet".to_owned(),
        (None, None, Some(route)) => format!("a route: {route}"),
        (None, None, None) => {
            "its turn: fence token, then a free call permit of the channel".to_owned()
        }
    }
}
