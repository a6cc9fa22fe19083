//! Why an order isn't on its way, in words: worked out when somebody asks. Writing
//! it down for every waiting order would cost more than the waiting.

use crate::guard::breakers::Tripped;
use crate::orders::Order;
use sluice_contract::order::State;

/// What the order waits for; `None` once it has ended. `stalled` is the fence's
/// reason, `held` whether its account's booking is still unconfirmed, and `first` the
/// channel that an order gets which has none yet.
pub fn waits_for(order: &Order, stalled: Option<&str>, tripped: &Tripped, held: bool, first: &str) -> Option<String> {
    let reason = match order.state {
        State::Booking => "its reservation on the balance service".to_owned(),
        State::Init => match (stalled, tripped.stops(order, order.channel.as_deref().unwrap_or(first))) {
            (Some(stalled), _) => format!("fence: {stalled}"),
            (None, Some((breaker, why))) => format!("breaker {breaker} is open: {why}"),
            (None, None) if held => "the account's booking is not confirmed yet".to_owned(),
            (None, None) => "its turn: fence token, then a free slot of the channel".to_owned(),
        },
        State::Dispatching => "the channel's answer".to_owned(),
        State::Processing => "the channel's result".to_owned(),
        State::InDoubt => "a clear answer; the channel is being asked".to_owned(),
        State::Manual => "a person's decision".to_owned(),
        State::Success | State::Failed | State::Returned => return None,
    };
    Some(reason)
}
