//! Proof that a channel's answer gives of an order that went out more than once, or only a
//! moment ago. Channels forget what they refused, and requests arrive late: a refusal is
//! of the sending that it answers to, and "no such trade" is true of the past.

use crate::orders::state::OrderInput;
use crate::orders::{Order, SendRefusal};
use crate::outcome::apply::delays::OutcomeDelays;
use crate::outcome::report::{AnswerTo, OrderOutcome};
use sluice_contract::order::OrderState;

/// Worth of an answer, by the sendings of its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SendingProof {
    /// The answer is of the order as a whole.
    Whole(OrderInput),
    /// A later sending has taken the place of what it answers to.
    Superseded,
    /// No such trade yet: a request may still be on its way.
    TooEarly,
}

/// Weighs an answer of the order's own channel.
pub(super) fn weigh(order: &Order, outcome: &OrderOutcome, delays: &OutcomeDelays) -> SendingProof {
    if is_superseded(order, outcome) {
        return SendingProof::Superseded;
    }
    match outcome.event {
        OrderInput::NoSuchTrade if !is_quiet(order, outcome, delays) => SendingProof::TooEarly,
        // None of the sendings is there, none can come any more, and the last was refused.
        OrderInput::NoSuchTrade => SendingProof::Whole(match order.send_refusal {
            Some(SendRefusal::Declined) => OrderInput::Declined,
            Some(SendRefusal::NotHere) => OrderInput::NotHere,
            None => OrderInput::NoSuchTrade,
        }),
        OrderInput::Declined | OrderInput::NotHere if is_of_one_sending(order, outcome) => {
            SendingProof::Whole(OrderInput::SendRefused)
        }
        input => SendingProof::Whole(input),
    }
}

/// The refusal that the outcome tells of.
pub(super) fn refusal(outcome: &OrderOutcome) -> Option<SendRefusal> {
    match outcome.event {
        OrderInput::Declined => Some(SendRefusal::Declined),
        OrderInput::NotHere => Some(SendRefusal::NotHere),
        _ => None,
    }
}

/// Tells whether a later sending has taken the place of what this answers to.
fn is_superseded(order: &Order, outcome: &OrderOutcome) -> bool {
    // That it was paid or taken is true whenever it was said. That it is not there or was
    // refused is of the sendings before.
    let is_lasting = matches!(
        outcome.event,
        OrderInput::Succeeded | OrderInput::Returned | OrderInput::Accepted
    );
    match outcome.answers {
        AnswerTo::Send(number) => number < order.sends && !is_lasting,
        AnswerTo::Query(query) => query.sends < order.sends && !is_lasting,
        AnswerTo::Nothing => false,
    }
}

/// A refusal in the reply to the last of several sendings says nothing of those before,
/// and one in a callback may be of any of them, told late or again. One that waits in
/// `init` is known not to be there: nothing is left to ask. Each attempt is one channel's, and
/// begins with a sending: more sendings than attempts, and some channel has had several.
fn is_of_one_sending(order: &Order, outcome: &OrderOutcome) -> bool {
    match outcome.answers {
        AnswerTo::Send(number) => number > order.attempts && order.state != OrderState::Init,
        AnswerTo::Nothing => {
            outcome.callback.is_some()
                && order.sends > order.attempts
                && order.state != OrderState::Init
        }
        AnswerTo::Query(_) => false,
    }
}

/// Tells whether the channel was asked after its quiet time: no request can arrive later.
fn is_quiet(order: &Order, outcome: &OrderOutcome, delays: &OutcomeDelays) -> bool {
    let AnswerTo::Query(query) = outcome.answers else {
        return false;
    };
    let channel = order.channel.as_deref().unwrap_or_default();
    let (Some(send_by), Some(quiet)) = (order.last_send_by_us(), delays.quiet_us.get(channel))
    else {
        return false;
    };
    query.asked_us >= send_by.saturating_add(*quiet)
}
