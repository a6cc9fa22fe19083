//! Inputs of an order's state machine.

use sluice_contract::string_enum;

string_enum! {
    /// Something that happened to an order; the word stands in its history.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum OrderInput("an order's input") {
        /// The order's money is reserved: the saga's word, while the books are split.
        Booked = "booked",
        /// The order's money could not be reserved: the saga's word, while the books are split.
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
        /// The channel says so of itself alone: another channel may pay.
        NotHere = "not_here",
        /// The channel refuses the last of several sendings: nothing of the earlier ones.
        SendRefused = "send_refused",
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
        /// The order has waited to be sent for longer than anybody may overlook.
        NotSent = "not_sent",
        /// The upstream has not acknowledged the end in time: publish it again.
        AckOverdue = "ack_overdue",
        /// Published as often as allowed, the end was never acknowledged.
        AckExhausted = "ack_exhausted",
        /// The upstream acknowledges the end.
        Acknowledged = "acknowledged",
        /// The upstream asks for its event once more.
        Renotify = "renotify",
    }
}
