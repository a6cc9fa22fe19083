//! The life of an order as one pure function: `(state, input) → decision`. Replies,
//! callbacks, queries, cancellations and recovery all go through `step`; nothing
//! else decides. Effects are data; `outcome`, `dispatch` and `saga` perform them.

pub use crate::orders::effect::OrderEffect;
pub use crate::orders::input::OrderInput;

use crate::orders::effect::{
    BOOKED_EFFECTS, CASE_EFFECTS, NEVER_SENT_EFFECTS, PAID_EFFECTS, PENDING_EFFECTS,
    REFUSED_EFFECTS, RETURN_EFFECTS, SWITCH_EFFECTS, UNPAID_EFFECTS,
};
use StateDecision::{After, Already, Contradiction, Move, Refused, Stay};
use sluice_contract::order::OrderState::{
    self, Booking, Dispatching, Failed, InDoubt, Init, Manual, Processing, Returned, Success,
};

/// Decision about one input in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateDecision {
    Move(OrderState, &'static [OrderEffect]),
    /// The state stays as it is; something is done all the same.
    Stay(&'static [OrderEffect]),
    /// The input can only have come after this one, which nobody reported: that is applied
    /// first, then the input again.
    After(OrderInput),
    /// A repeat or a late echo: nothing to do.
    Already,
    /// A word that can't be true together with what we know: a person's case, never an
    /// overwrite.
    Contradiction(&'static str),
    /// Not allowed in this state.
    Refused,
}

const NOT_SENT_DETAIL: &str = "the channel answered for an order that was not sent";

/// Decides; the only place where an order's state is decided.
pub fn step(state: OrderState, input: OrderInput) -> StateDecision {
    match input {
        OrderInput::Booked => booked(state),
        OrderInput::Unfunded => unfunded(state),
        OrderInput::Claim => claim(state),
        OrderInput::Unroutable => unroutable(state),
        OrderInput::Accepted => accepted(state),
        OrderInput::Succeeded => succeeded(state),
        OrderInput::Declined => declined(state, Move(Failed, UNPAID_EFFECTS)),
        // Under the same serial number and trade time, through a new claim and as a new
        // attempt (promise 1: a switch needs the first channel's definitive failure).
        OrderInput::NotHere => declined(state, Move(Init, SWITCH_EFFECTS)),
        OrderInput::SendRefused => send_refused(state),
        OrderInput::DeclineReversed => decline_reversed(state),
        OrderInput::Unknown => unknown(state),
        OrderInput::NoSuchTrade => no_such_trade(state),
        OrderInput::Returned => returned(state),
        OrderInput::Cancel => cancel(state),
        OrderInput::Exhausted => exhausted(state),
        OrderInput::NotSent => not_sent(state),
        OrderInput::AckOverdue => once_ended(state, &[OrderEffect::PublishAgain], Already),
        OrderInput::AckExhausted => once_ended(state, CASE_EFFECTS, Already),
        OrderInput::Acknowledged => once_ended(state, &[OrderEffect::CloseCase], Refused),
        OrderInput::Renotify => renotify(state),
    }
}

fn booked(state: OrderState) -> StateDecision {
    match state {
        Booking => Move(Init, BOOKED_EFFECTS),
        Init | Dispatching | InDoubt | Processing | Manual | Success | Failed | Returned => Already,
    }
}

fn unfunded(state: OrderState) -> StateDecision {
    match state {
        Booking => Move(Failed, &[OrderEffect::CloseCase]),
        Failed => Already,
        Init | Dispatching | InDoubt | Processing | Manual | Success | Returned => {
            Contradiction("its money was reserved and is said not to be there")
        }
    }
}

fn claim(state: OrderState) -> StateDecision {
    match state {
        Init => Move(Dispatching, &[]),
        Booking | Dispatching | InDoubt | Processing | Manual | Success | Failed | Returned => {
            Refused
        }
    }
}

fn unroutable(state: OrderState) -> StateDecision {
    match state {
        Init => Move(Failed, NEVER_SENT_EFFECTS),
        Booking | Dispatching | InDoubt | Processing | Manual | Success | Failed | Returned => {
            Refused
        }
    }
}

fn cancel(state: OrderState) -> StateDecision {
    match state {
        Init => Move(Failed, NEVER_SENT_EFFECTS),
        Failed => Already,
        Booking | Dispatching | InDoubt | Processing | Manual | Success | Returned => Refused,
    }
}

fn accepted(state: OrderState) -> StateDecision {
    match state {
        Booking | Init => Contradiction(NOT_SENT_DETAIL),
        Dispatching | InDoubt => Move(Processing, PENDING_EFFECTS),
        // It was asked whether it still has it: that it has is news of a kind.
        Processing => Stay(PENDING_EFFECTS),
        // Still no end: the case stays a person's, and the channel is asked on, slowly.
        Manual => Stay(PENDING_EFFECTS),
        Success | Failed | Returned => Already,
    }
}

fn succeeded(state: OrderState) -> StateDecision {
    match state {
        Booking | Init => Contradiction(NOT_SENT_DETAIL),
        Dispatching | InDoubt | Processing | Manual => Move(Success, PAID_EFFECTS),
        Failed => Contradiction("success after failed"),
        Success | Returned => Already,
    }
}

/// A channel says clearly that it did not pay: the end, or another channel's turn.
fn declined(state: OrderState, next: StateDecision) -> StateDecision {
    match state {
        Booking | Init => Contradiction(NOT_SENT_DETAIL),
        Dispatching | InDoubt | Processing | Manual => next,
        Success => Contradiction("failed after success"),
        Failed | Returned => Already,
    }
}

/// An earlier sending may have arrived or still arrive: the channel is asked now.
fn send_refused(state: OrderState) -> StateDecision {
    match state {
        Booking | Init => Contradiction(NOT_SENT_DETAIL),
        Dispatching => Move(InDoubt, REFUSED_EFFECTS),
        // One did arrive: its end is asked for while the channel still knows it. A channel
        // that forgets what it refused leaves an accepted order without an end.
        Processing | InDoubt | Manual => Stay(REFUSED_EFFECTS),
        Success | Failed | Returned => Already,
    }
}

fn decline_reversed(state: OrderState) -> StateDecision {
    match state {
        Booking => Contradiction(NOT_SENT_DETAIL),
        // Sent now, it would knowingly be paid twice. What is out already is asked on, but
        // nobody's refusal ends it any more: see `outcome::apply::counted`.
        Init => Move(Manual, CASE_EFFECTS),
        Dispatching | InDoubt | Processing | Manual | Success => Stay(CASE_EFFECTS),
        Failed => Contradiction("a channel that had declined it says that it paid"),
        Returned => Already,
    }
}

fn unknown(state: OrderState) -> StateDecision {
    match state {
        Dispatching => Move(InDoubt, &[]),
        Booking | Init | InDoubt | Processing | Manual | Success | Failed | Returned => Already,
    }
}

fn no_such_trade(state: OrderState) -> StateDecision {
    match state {
        // Sent again under the same serial number and trade time, through a new
        // claim: fence and breakers are asked again (seed 002, stage 2 b). Said before the
        // channel's quiet time is over, it is no such input: see `outcome::apply::counted`.
        Dispatching | InDoubt => Move(Init, &[]),
        // A clear answer, so the person need not look any more.
        Manual => Move(Init, &[OrderEffect::CloseCase]),
        Processing => Contradiction("the channel accepted the trade and now knows no such trade"),
        Success => Contradiction("no such trade after success"),
        Booking | Init | Failed | Returned => Already,
    }
}

fn returned(state: OrderState) -> StateDecision {
    match state {
        Booking | Init => Contradiction(NOT_SENT_DETAIL),
        // Callbacks overtake each other: what came back had been paid.
        Dispatching | InDoubt | Processing | Manual => After(OrderInput::Succeeded),
        Success => Move(Returned, RETURN_EFFECTS),
        Failed => Contradiction("returned after failed"),
        Returned => Already,
    }
}

fn exhausted(state: OrderState) -> StateDecision {
    match state {
        Dispatching | InDoubt | Processing => Move(Manual, CASE_EFFECTS),
        Booking | Init | Manual | Success | Failed | Returned => Already,
    }
}

fn not_sent(state: OrderState) -> StateDecision {
    match state {
        Booking | Init => Stay(CASE_EFFECTS),
        Dispatching | InDoubt | Processing | Manual | Success | Failed | Returned => Already,
    }
}

fn once_ended(
    state: OrderState,
    effects: &'static [OrderEffect],
    before: StateDecision,
) -> StateDecision {
    match state {
        Success | Failed | Returned => Stay(effects),
        Booking | Init | Dispatching | InDoubt | Processing | Manual => before,
    }
}

fn renotify(state: OrderState) -> StateDecision {
    match state {
        // Nothing was published yet.
        Booking => Refused,
        Init | Dispatching | InDoubt | Processing | Manual | Success | Failed | Returned => {
            Stay(&[OrderEffect::PublishAgain])
        }
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
