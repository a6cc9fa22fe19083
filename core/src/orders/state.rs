//! The life of an order as one pure function: `(state, event) → move`. Replies,
//! callbacks, queries, cancellations and recovery all go through `step`; nothing
//! else decides. Effects are data; `outcome` and `dispatch` perform them.

use sluice_contract::order::OrderState;
use sluice_contract::string_enum;

string_enum! {
    /// What happened to an order.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum OrderInput("an order's input") {
        /// Its money is reserved: the saga's word, while the books are apart.
        Booked = "booked",
        /// Its money could not be reserved: the saga's word, while the books are apart.
        Unfunded = "unfunded",
        /// Fence and breakers passed: the order is ours to send.
        Claim = "claim",
        /// No channel may take it, now or later, and the routing says: don't wait.
        Unroutable = "unroutable",
        /// The channel took it and will tell the result.
        Accepted = "accepted",
        /// The channel says clearly that it paid.
        Succeeded = "succeeded",
        /// The channel says clearly that it did not and will not pay.
        Declined = "declined",
        /// It says so of itself alone: another channel may pay.
        NotHere = "not_here",
        /// Another channel, which had said so of itself alone, now says that it paid.
        DeclineReversed = "decline_reversed",
        /// No answer, or one that proves nothing (promise 2: unknown is never failed).
        Unknown = "unknown",
        /// Asked by serial number and trade time, the channel knows no such trade.
        NoSuchTrade = "no_such_trade",
        /// The channel gave the money back (退票).
        Returned = "returned",
        /// The upstream takes it back before it was sent.
        Cancel = "cancel",
        /// Recovery has asked as often as it may.
        Exhausted = "exhausted",
        /// It has waited to be sent for longer than anybody may overlook.
        NotSent = "not_sent",
        /// Its upstream has not said in time that it knows the end: tell it again.
        AckOverdue = "ack_overdue",
        /// Told as often as allowed, its upstream never said that it knows.
        AckExhausted = "ack_exhausted",
        /// The upstream says that it knows the end.
        Acknowledged = "acknowledged",
        /// The upstream wants to be told again.
        Renotify = "renotify",
    }
}

string_enum! {
    /// What has to be done in the transaction of the move.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum OrderEffect("an effect of an order's transition") {
        /// The reserved money has left: reserved → channel.
        Finalize = "finalize",
        /// The reserved money is the account's again: reserved → available.
        Release = "release",
        /// The money came back: channel → available.
        GiveBack = "give back",
        /// The attempt can't pay any more.
        CloseAttempt = "close attempt",
        /// What the order took of cumulative limits is free again.
        FreeLimits = "free limits",
        /// A person has to look: open a case.
        OpenCase = "open case",
        /// What a person was called for is over: close the cases that the core opened.
        CloseCase = "close case",
        /// Tell upstreams by an event.
        Publish = "publish",
        /// The last event once more, under its own id.
        PublishAgain = "publish again",
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateDecision {
    Move(OrderState, &'static [OrderEffect]),
    /// The state stays as it is; something is done all the same.
    Stay(&'static [OrderEffect]),
    /// It can only have come after this, which nobody told: that is applied first, then
    /// the event again.
    After(OrderInput),
    /// A repeat or a late echo: nothing to do.
    Already,
    /// It can't be true together with what we know: a person's case, never an overwrite.
    Contradiction(&'static str),
    /// Not allowed in this state.
    Refused,
}

const BOOKED_EFFECTS: &[OrderEffect] = &[OrderEffect::Publish];
const PAID_EFFECTS: &[OrderEffect] = &[
    OrderEffect::Finalize,
    OrderEffect::CloseAttempt,
    OrderEffect::CloseCase,
    OrderEffect::Publish,
];
const UNPAID_EFFECTS: &[OrderEffect] = &[
    OrderEffect::Release,
    OrderEffect::CloseAttempt,
    OrderEffect::FreeLimits,
    OrderEffect::CloseCase,
    OrderEffect::Publish,
];
const SWITCH_EFFECTS: &[OrderEffect] = &[
    OrderEffect::CloseAttempt,
    OrderEffect::FreeLimits,
    OrderEffect::CloseCase,
];
const NEVER_SENT_EFFECTS: &[OrderEffect] = &[
    OrderEffect::Release,
    OrderEffect::CloseCase,
    OrderEffect::Publish,
];
const RETURN_EFFECTS: &[OrderEffect] = &[
    OrderEffect::GiveBack,
    OrderEffect::FreeLimits,
    OrderEffect::CloseCase,
    OrderEffect::Publish,
];
const CASE_EFFECTS: &[OrderEffect] = &[OrderEffect::OpenCase];

/// The only place where an order's state is decided.
pub fn step(state: OrderState, event: OrderInput) -> StateDecision {
    use crate::orders::state::OrderInput::*;
    use sluice_contract::order::OrderState::*;
    match (state, event) {
        (OrderState::Booking | Init, NotSent) => StateDecision::Stay(CASE_EFFECTS),
        (_, NotSent) => StateDecision::Already,
        (Success | Failed | OrderState::Returned, AckOverdue) => {
            StateDecision::Stay(&[OrderEffect::PublishAgain])
        }
        (Success | Failed | OrderState::Returned, AckExhausted) => {
            StateDecision::Stay(CASE_EFFECTS)
        }
        (_, AckOverdue | AckExhausted) => StateDecision::Already,
        (Success | Failed | OrderState::Returned, Acknowledged) => {
            StateDecision::Stay(&[OrderEffect::CloseCase])
        }
        (_, Acknowledged) => StateDecision::Refused,
        // Nothing was told yet.
        (OrderState::Booking, Renotify) => StateDecision::Refused,
        (_, Renotify) => StateDecision::Stay(&[OrderEffect::PublishAgain]),

        (OrderState::Booking, Booked) => StateDecision::Move(Init, BOOKED_EFFECTS),
        (OrderState::Booking, Unfunded) => StateDecision::Move(Failed, &[OrderEffect::CloseCase]),
        (Failed, Unfunded) => StateDecision::Already,
        (_, Booked) => StateDecision::Already,
        (_, Unfunded) => {
            StateDecision::Contradiction("its money was reserved and is said not to be there")
        }

        (Init, Claim) => StateDecision::Move(Dispatching, &[]),
        (_, Claim) => StateDecision::Refused,
        (Init, Unroutable) => StateDecision::Move(Failed, NEVER_SENT_EFFECTS),
        (_, Unroutable) => StateDecision::Refused,
        (Init, OrderInput::Cancel) => StateDecision::Move(Failed, NEVER_SENT_EFFECTS),
        (Failed, OrderInput::Cancel) => StateDecision::Already,
        (_, OrderInput::Cancel) => StateDecision::Refused,

        (
            OrderState::Booking | Init,
            Accepted | Succeeded | Declined | NotHere | OrderInput::Returned,
        )
        | (OrderState::Booking, DeclineReversed) => {
            StateDecision::Contradiction("the channel answered for an order that was not sent")
        }
        (OrderState::Booking | Init, Unknown | NoSuchTrade | Exhausted) => StateDecision::Already,

        (Dispatching | InDoubt, Accepted) => StateDecision::Move(Processing, &[]),
        (Dispatching | InDoubt | Processing | Manual, Succeeded) => {
            StateDecision::Move(Success, PAID_EFFECTS)
        }
        (Dispatching | InDoubt | Processing | Manual, Declined) => {
            StateDecision::Move(Failed, UNPAID_EFFECTS)
        }
        // Under the same serial number and trade time, through a new claim and as a new
        // attempt (promise 1: a switch needs the first channel's definitive failure).
        (Dispatching | InDoubt | Processing | Manual, NotHere) => {
            StateDecision::Move(Init, SWITCH_EFFECTS)
        }
        // Sent now, it would knowingly be paid twice. What is out already is asked on, but
        // nobody's refusal ends it any more: see `outcome::note`.
        (Init, DeclineReversed) => StateDecision::Move(Manual, CASE_EFFECTS),
        (Dispatching | InDoubt | Processing | Manual | Success, DeclineReversed) => {
            StateDecision::Stay(CASE_EFFECTS)
        }
        (Failed, DeclineReversed) => {
            StateDecision::Contradiction("a channel that had declined it says that it paid")
        }
        (Dispatching, Unknown) => StateDecision::Move(InDoubt, &[]),
        // Sent again under the same serial number and trade time, through a new
        // claim: fence and breakers are asked again (seed 002, stage 2 b).
        (Dispatching | InDoubt, NoSuchTrade) => StateDecision::Move(Init, &[]),
        (Processing, NoSuchTrade) => StateDecision::Contradiction(
            "the channel accepted the trade and now knows no such trade",
        ),
        (Dispatching | InDoubt | Processing, Exhausted) => {
            StateDecision::Move(Manual, CASE_EFFECTS)
        }
        // Callbacks overtake each other: what came back had been paid.
        (Dispatching | InDoubt | Processing | Manual, OrderInput::Returned) => {
            StateDecision::After(Succeeded)
        }
        (InDoubt, Unknown) | (Processing, Accepted | Unknown) => StateDecision::Already,
        (Manual, Accepted | Unknown | NoSuchTrade | Exhausted) => StateDecision::Already,

        (Success, OrderInput::Returned) => {
            StateDecision::Move(OrderState::Returned, RETURN_EFFECTS)
        }
        (Success, Declined | NotHere) => StateDecision::Contradiction("failed after success"),
        (Success, NoSuchTrade) => StateDecision::Contradiction("no such trade after success"),
        (Success, Succeeded | Accepted | Unknown | Exhausted) => StateDecision::Already,
        (Failed, Succeeded) => StateDecision::Contradiction("success after failed"),
        (Failed, OrderInput::Returned) => StateDecision::Contradiction("returned after failed"),
        (Failed, Declined | NotHere | Accepted | Unknown | NoSuchTrade | Exhausted) => {
            StateDecision::Already
        }
        (OrderState::Returned, _) => StateDecision::Already,
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
