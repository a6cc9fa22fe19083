//! Effects of an order's moves, as data: `outcome`, `dispatch` and `saga` perform them.

use sluice_contract::string_enum;

string_enum! {
    /// Something that has to be done in the transaction of a move.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum OrderEffect("an order's effect") {
        /// The reserved money has left: reserved → channel.
        Finalize = "finalize",
        /// The reserved money is the account's again: reserved → available.
        Release = "release",
        /// The money came back: channel → available.
        GiveBack = "give back",
        /// The attempt can't pay any more.
        CloseAttempt = "close attempt",
        /// The order's share of cumulative limits is free again.
        FreeLimits = "free limits",
        /// A person has to look: open a case.
        OpenCase = "open case",
        /// The reason to call a person is over: close the cases that the core opened.
        CloseCase = "close case",
        /// The channel says that it has the order: its silence is counted anew.
        NoteHeard = "note that the channel was heard",
        /// The refusal of the last sending is kept, and the channel is asked at once.
        NoteRefusal = "note the refusal, ask now",
        /// Tell upstreams by an event.
        Publish = "publish",
        /// Publish the last event once more, under its own id.
        PublishAgain = "publish again",
    }
}

pub(super) const BOOKED_EFFECTS: &[OrderEffect] = &[OrderEffect::Publish];
pub(super) const PAID_EFFECTS: &[OrderEffect] = &[
    OrderEffect::Finalize,
    OrderEffect::CloseAttempt,
    OrderEffect::CloseCase,
    OrderEffect::Publish,
];
pub(super) const UNPAID_EFFECTS: &[OrderEffect] = &[
    OrderEffect::Release,
    OrderEffect::CloseAttempt,
    OrderEffect::FreeLimits,
    OrderEffect::CloseCase,
    OrderEffect::Publish,
];
pub(super) const SWITCH_EFFECTS: &[OrderEffect] = &[
    OrderEffect::CloseAttempt,
    OrderEffect::FreeLimits,
    OrderEffect::CloseCase,
];
pub(super) const NEVER_SENT_EFFECTS: &[OrderEffect] = &[
    OrderEffect::Release,
    OrderEffect::CloseCase,
    OrderEffect::Publish,
];
pub(super) const RETURN_EFFECTS: &[OrderEffect] = &[
    OrderEffect::GiveBack,
    OrderEffect::FreeLimits,
    OrderEffect::CloseCase,
    OrderEffect::Publish,
];
pub(super) const HEARD_EFFECTS: &[OrderEffect] = &[OrderEffect::NoteHeard];
pub(super) const REFUSED_EFFECTS: &[OrderEffect] = &[OrderEffect::NoteRefusal];
pub(super) const CASE_EFFECTS: &[OrderEffect] = &[OrderEffect::OpenCase];
