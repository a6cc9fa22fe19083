//! The life of an order as one pure function: `(state, event) → move`. Replies,
//! callbacks, queries, cancellations and recovery all go through `step`; nothing
//! else decides. Effects are data; `outcome` and `dispatch` perform them.

use sluice_contract::order::State;

/// What happened to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// Its money is reserved: the saga's word, while the books are apart.
    Booked,
    /// Its money could not be reserved: the saga's word, while the books are apart.
    Unfunded,
    /// Fence and breakers passed: the order is ours to send.
    Claim,
    /// No channel may take it, now or later, and the routing says: don't wait.
    Unroutable,
    /// The channel took it and will tell the result.
    Accepted,
    /// The channel says clearly that it paid.
    Succeeded,
    /// The channel says clearly that it did not and will not pay.
    Declined,
    /// It says so of itself alone: another channel may pay.
    NotHere,
    /// Another channel, which had said so of itself alone, now says that it paid.
    Recanted,
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
    /// It has waited to be sent for longer than anybody may overlook.
    NotSent,
    /// Its upstream has not said in time that it knows the end: tell it again.
    Unheard,
    /// Told as often as allowed, its upstream never said that it knows.
    NeverHeard,
    /// The upstream says that it knows the end.
    Heard,
    /// The upstream wants to be told again.
    Renotify,
}

impl Event {
    pub const ALL: [Event; 19] = [
        Event::Booked,
        Event::Unfunded,
        Event::Claim,
        Event::Unroutable,
        Event::Accepted,
        Event::Succeeded,
        Event::Declined,
        Event::NotHere,
        Event::Recanted,
        Event::Unknown,
        Event::NoSuchTrade,
        Event::Returned,
        Event::Cancel,
        Event::Exhausted,
        Event::NotSent,
        Event::Unheard,
        Event::NeverHeard,
        Event::Heard,
        Event::Renotify,
    ];

    /// As it stands in the order's history.
    pub fn as_str(self) -> &'static str {
        match self {
            Event::Booked => "booked",
            Event::Unfunded => "unfunded",
            Event::Claim => "claim",
            Event::Unroutable => "unroutable",
            Event::Accepted => "accepted",
            Event::Succeeded => "succeeded",
            Event::Declined => "declined",
            Event::NotHere => "not_here",
            Event::Recanted => "decline_reversed",
            Event::Unknown => "unknown",
            Event::NoSuchTrade => "no_such_trade",
            Event::Returned => "returned",
            Event::Cancel => "cancel",
            Event::Exhausted => "exhausted",
            Event::NotSent => "not_sent",
            Event::Unheard => "ack_overdue",
            Event::NeverHeard => "ack_exhausted",
            Event::Heard => "acknowledged",
            Event::Renotify => "renotify",
        }
    }
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
    /// What the order took of cumulative limits is free again.
    FreeLimits,
    /// A person has to look: open a case.
    OpenCase,
    /// What a person was called for is over: close the cases that the core opened.
    CloseCase,
    /// Tell upstreams by an event.
    Publish,
    /// The last event once more, under its own id.
    PublishAgain,
}

impl Effect {
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Finalize => "finalize",
            Effect::Release => "release",
            Effect::GiveBack => "give back",
            Effect::CloseAttempt => "close attempt",
            Effect::FreeLimits => "free limits",
            Effect::OpenCase => "open case",
            Effect::CloseCase => "close case",
            Effect::Publish => "publish",
            Effect::PublishAgain => "publish again",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Move(State, &'static [Effect]),
    /// The state stays as it is; something is done all the same.
    Stay(&'static [Effect]),
    /// It can only have come after this, which nobody told: that is applied first, then
    /// the event again.
    After(Event),
    /// A repeat or a late echo: nothing to do.
    Already,
    /// It can't be true together with what we know: a person's case, never an overwrite.
    Contradiction(&'static str),
    /// Not allowed in this state.
    Refused,
}

const BOOKED: &[Effect] = &[Effect::Publish];
const END_PAID: &[Effect] = &[
    Effect::Finalize,
    Effect::CloseAttempt,
    Effect::CloseCase,
    Effect::Publish,
];
const END_UNPAID: &[Effect] = &[
    Effect::Release,
    Effect::CloseAttempt,
    Effect::FreeLimits,
    Effect::CloseCase,
    Effect::Publish,
];
const SWITCHED: &[Effect] = &[Effect::CloseAttempt, Effect::FreeLimits, Effect::CloseCase];
const NEVER_SENT: &[Effect] = &[Effect::Release, Effect::CloseCase, Effect::Publish];
const GIVEN_BACK: &[Effect] = &[
    Effect::GiveBack,
    Effect::FreeLimits,
    Effect::CloseCase,
    Effect::Publish,
];
const FOR_A_PERSON: &[Effect] = &[Effect::OpenCase];

/// The only place where an order's state is decided.
pub fn step(state: State, event: Event) -> Step {
    use Event::*;
    use State::*;
    match (state, event) {
        (State::Booking | Init, NotSent) => Step::Stay(FOR_A_PERSON),
        (_, NotSent) => Step::Already,
        (Success | Failed | State::Returned, Unheard) => Step::Stay(&[Effect::PublishAgain]),
        (Success | Failed | State::Returned, NeverHeard) => Step::Stay(FOR_A_PERSON),
        (_, Unheard | NeverHeard) => Step::Already,
        (Success | Failed | State::Returned, Heard) => Step::Stay(&[Effect::CloseCase]),
        (_, Heard) => Step::Refused,
        // Nothing was told yet.
        (State::Booking, Renotify) => Step::Refused,
        (_, Renotify) => Step::Stay(&[Effect::PublishAgain]),

        (State::Booking, Booked) => Step::Move(Init, BOOKED),
        (State::Booking, Unfunded) => Step::Move(Failed, &[Effect::CloseCase]),
        (Failed, Unfunded) => Step::Already,
        (_, Booked) => Step::Already,
        (_, Unfunded) => Step::Contradiction("its money was reserved and is said not to be there"),

        (Init, Claim) => Step::Move(Dispatching, &[]),
        (_, Claim) => Step::Refused,
        (Init, Unroutable) => Step::Move(Failed, NEVER_SENT),
        (_, Unroutable) => Step::Refused,
        (Init, Event::Cancel) => Step::Move(Failed, NEVER_SENT),
        (Failed, Event::Cancel) => Step::Already,
        (_, Event::Cancel) => Step::Refused,

        (State::Booking | Init, Accepted | Succeeded | Declined | NotHere | Event::Returned)
        | (State::Booking, Recanted) => {
            Step::Contradiction("the channel answered for an order that was not sent")
        }
        (State::Booking | Init, Unknown | NoSuchTrade | Exhausted) => Step::Already,

        (Dispatching | InDoubt, Accepted) => Step::Move(Processing, &[]),
        (Dispatching | InDoubt | Processing | Manual, Succeeded) => Step::Move(Success, END_PAID),
        (Dispatching | InDoubt | Processing | Manual, Declined) => Step::Move(Failed, END_UNPAID),
        // Under the same serial number and trade time, through a new claim and as a new
        // attempt (promise 1: a switch needs the first channel's definitive failure).
        (Dispatching | InDoubt | Processing | Manual, NotHere) => Step::Move(Init, SWITCHED),
        // Sent now, it would knowingly be paid twice. What is out already is asked on, but
        // nobody's refusal ends it any more: see `outcome::note`.
        (Init, Recanted) => Step::Move(Manual, FOR_A_PERSON),
        (Dispatching | InDoubt | Processing | Manual | Success, Recanted) => {
            Step::Stay(FOR_A_PERSON)
        }
        (Failed, Recanted) => {
            Step::Contradiction("a channel that had declined it says that it paid")
        }
        (Dispatching, Unknown) => Step::Move(InDoubt, &[]),
        // Sent again under the same serial number and trade time, through a new
        // claim: fence and breakers are asked again (seed 002, stage 2 b).
        (Dispatching | InDoubt, NoSuchTrade) => Step::Move(Init, &[]),
        (Processing, NoSuchTrade) => {
            Step::Contradiction("the channel accepted the trade and now knows no such trade")
        }
        (Dispatching | InDoubt | Processing, Exhausted) => Step::Move(Manual, FOR_A_PERSON),
        // Callbacks overtake each other: what came back had been paid.
        (Dispatching | InDoubt | Processing | Manual, Event::Returned) => Step::After(Succeeded),
        (InDoubt, Unknown) | (Processing, Accepted | Unknown) => Step::Already,
        (Manual, Accepted | Unknown | NoSuchTrade | Exhausted) => Step::Already,

        (Success, Event::Returned) => Step::Move(State::Returned, GIVEN_BACK),
        (Success, Declined | NotHere) => Step::Contradiction("failed after success"),
        (Success, NoSuchTrade) => Step::Contradiction("no such trade after success"),
        (Success, Succeeded | Accepted | Unknown | Exhausted) => Step::Already,
        (Failed, Succeeded) => Step::Contradiction("success after failed"),
        (Failed, Event::Returned) => Step::Contradiction("returned after failed"),
        (Failed, Declined | NotHere | Accepted | Unknown | NoSuchTrade | Exhausted) => {
            Step::Already
        }
        (State::Returned, _) => Step::Already,
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
