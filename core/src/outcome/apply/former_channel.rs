//! Words of a channel on an order that isn't with it.

use crate::orders::Order;
use crate::orders::state::OrderInput;
use crate::routing::Route;
use sluice_contract::order::OrderState;

/// Meaning of what a channel says of an order that isn't with it.
pub(super) enum FormerChannelAnswer {
    /// A repeat of what is known.
    Repeated,
    /// The channel had declined the order for itself alone, and says that it paid.
    ReversesDecline,
    /// A word that can't be true, with the reason.
    Odd(String),
}

/// Reads what `channel` says by what it said before.
pub(super) fn former_channel_answer(
    order: &Order,
    channel: &str,
    input: OrderInput,
) -> FormerChannelAnswer {
    let route = Route::read(order.route.as_deref()).unwrap_or_default();
    let is_in = |list: &[String]| list.iter().any(|one| one == channel);
    let whose = order.channel.as_deref().unwrap_or("nobody");
    if !is_in(&route.tried) {
        return FormerChannelAnswer::Odd(format!("{channel} speaks of an order that is {whose}'s"));
    }
    let has_reversed = is_in(&route.decline_reversed);
    match input {
        OrderInput::Succeeded if has_reversed => FormerChannelAnswer::Repeated,
        OrderInput::Returned if has_reversed => FormerChannelAnswer::Odd(format!(
            "{channel} declined the order, said that it paid, and now that it gave it back"
        )),
        OrderInput::Succeeded | OrderInput::Returned => claims_payment(order, channel, whose),
        // `Accepted` too: a reply to the sending may be overtaken by the refusal.
        OrderInput::Accepted
        | OrderInput::Declined
        | OrderInput::NotHere
        | OrderInput::SendRefused
        | OrderInput::DeclineReversed
        | OrderInput::Unknown
        | OrderInput::NoSuchTrade
        | OrderInput::Booked
        | OrderInput::Unfunded
        | OrderInput::Claim
        | OrderInput::Unroutable
        | OrderInput::Cancel
        | OrderInput::Exhausted
        | OrderInput::NotSent
        | OrderInput::AckOverdue
        | OrderInput::AckExhausted
        | OrderInput::Acknowledged
        | OrderInput::Renotify => FormerChannelAnswer::Repeated,
    }
}

fn claims_payment(order: &Order, channel: &str, whose: &str) -> FormerChannelAnswer {
    match order.state {
        OrderState::Failed | OrderState::Returned => FormerChannelAnswer::Odd(format!(
            "{channel} declined the order and now says that it paid; it is {whose}'s now"
        )),
        OrderState::Booking
        | OrderState::Init
        | OrderState::Dispatching
        | OrderState::InDoubt
        | OrderState::Processing
        | OrderState::Manual
        | OrderState::Success => FormerChannelAnswer::ReversesDecline,
    }
}
