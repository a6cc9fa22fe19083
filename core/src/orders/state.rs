//! The life of an order as one pure function: `(state, event) → move`. Replies,
//! callbacks, queries, cancellations and recovery all go through `step`; nothing
//! else decides. Effects are data; `outcome` and `dispatch` perform them.

use sluice_contract::order::State;

/// What happened to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// Fence and breakers passed: the order is ours to send.
    Claim,
    /// The channel took it and will tell the result.
    Accepted,
    /// The channel says clearly that it paid.
    Succeeded,
    /// The channel says clearly that it did not and will not pay.
    Declined,
    /// No answer, or one that proves nothing (promise 2: unknown is never failed).
    Unknown,
    /// Asked by serial number and trade time, the channel knows no such trade.
    NoSuchTrade,
    /// The channel gave the money back (退票).
    Returned,
    /// The upstream takes it back before it was sent.
    Cancel,
    /// Recovery has asked as often as it may.
    Exhausted,
}

impl Event {
    pub const ALL: [Event; 9] = [
        Event::Claim,
        Event::Accepted,
        Event::Succeeded,
        Event::Declined,
        Event::Unknown,
        Event::NoSuchTrade,
        Event::Returned,
        Event::Cancel,
        Event::Exhausted,
    ];
}

/// What has to be done in the transaction of the move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// The reserved money has left: reserved → channel.
    Finalize,
    /// The reserved money is the account's again: reserved → available.
    Release,
    /// The money came back: channel → available.
    GiveBack,
    /// The attempt can't pay any more.
    CloseAttempt,
    /// Tell upstreams by an event.
    Publish,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Move(State, &'static [Effect]),
    /// A repeat or a late echo: nothing to do.
    Already,
    /// It can't be true together with what we know: a person's case, never an overwrite.
    Contradiction(&'static str),
    /// Not allowed in this state.
    Refused,
}

const END_PAID: &[Effect] = &[Effect::Finalize, Effect::CloseAttempt, Effect::Publish];
const END_UNPAID: &[Effect] = &[Effect::Release, Effect::CloseAttempt, Effect::Publish];
const TAKEN_BACK: &[Effect] = &[Effect::Release, Effect::CloseAttempt, Effect::Publish];

/// The only place where an order's state is decided.
pub fn step(state: State, event: Event) -> Step {
    use Event::*;
    use State::*;
    match (state, event) {
        (Init, Claim) => Step::Move(Dispatching, &[]),
        (_, Claim) => Step::Refused,
        (Init, Event::Cancel) => Step::Move(Failed, TAKEN_BACK),
        (Failed, Event::Cancel) => Step::Already,
        (_, Event::Cancel) => Step::Refused,

        (Init, Accepted | Succeeded | Declined | Event::Returned) => {
            Step::Contradiction("the channel answered for an order that was not sent")
        }
        (Init, Unknown | NoSuchTrade | Exhausted) => Step::Already,

        (Dispatching | InDoubt, Accepted) => Step::Move(Processing, &[]),
        (Dispatching | InDoubt | Processing | Manual, Succeeded) => Step::Move(Success, END_PAID),
        (Dispatching | InDoubt | Processing | Manual, Declined) => Step::Move(Failed, END_UNPAID),
        (Dispatching, Unknown) => Step::Move(InDoubt, &[]),
        // Sent again under the same serial number and trade time, through a new
        // claim: fence and breakers are asked again (seed 002, stage 2 b).
        (Dispatching | InDoubt, NoSuchTrade) => Step::Move(Init, &[]),
        (Processing, NoSuchTrade) => Step::Contradiction("the channel accepted the trade and now knows no such trade"),
        (Dispatching | InDoubt | Processing, Exhausted) => Step::Move(Manual, &[]),
        (Dispatching | InDoubt | Processing | Manual, Event::Returned) => {
            Step::Contradiction("returned before any success was told")
        }
        (InDoubt, Unknown) | (Processing, Accepted | Unknown) => Step::Already,
        (Manual, Accepted | Unknown | NoSuchTrade | Exhausted) => Step::Already,

        (Success, Event::Returned) => Step::Move(State::Returned, &[Effect::GiveBack, Effect::Publish]),
        (Success, Declined) => Step::Contradiction("failed after success"),
        (Success, NoSuchTrade) => Step::Contradiction("no such trade after success"),
        (Success, Succeeded | Accepted | Unknown | Exhausted) => Step::Already,
        (Failed, Succeeded) => Step::Contradiction("success after failed"),
        (Failed, Event::Returned) => Step::Contradiction("returned after failed"),
        (Failed, Declined | Accepted | Unknown | NoSuchTrade | Exhausted) => Step::Already,
        (State::Returned, _) => Step::Already,
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
