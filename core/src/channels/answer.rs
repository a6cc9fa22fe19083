//! Answers of channels, as understood.

use crate::channels::echo::EchoedPayment;
use sluice_contract::string_enum;

string_enum! {
    /// Proof that a channel's answer gives.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum ChannelAnswer("a channel's answer") {
        /// The channel has the trade and will tell the result.
        Accepted = "accepted",
        Succeeded = "succeeded",
        /// The channel did not and will not pay.
        Declined = "declined",
        /// The channel did not and will not pay, for a reason of its own (it does not reach
        /// the bank, it is closed): another channel may.
        NotHere = "not_here",
        /// The answer proves nothing. The default of every code table (promise 2).
        Unknown = "unknown",
        /// Same serial number, same day: it was sent before, and only a query tells the result.
        Duplicate = "duplicate",
        NoSuchTrade = "no_such_trade",
        /// Given back after success.
        Returned = "returned",
    }
}

/// A reply as understood. `code` is the channel's own word, for people. What the
/// channel says of the payment is compared with the order: anything else than what
/// we asked for is a person's case.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelResult {
    pub answer: ChannelAnswer,
    pub code: String,
    pub echo: EchoedPayment,
}

impl ChannelResult {
    /// Makes a result that proves nothing.
    pub fn unknown(code: &str) -> Self {
        ChannelResult {
            answer: ChannelAnswer::Unknown,
            code: code.to_owned(),
            echo: EchoedPayment::default(),
        }
    }
}
