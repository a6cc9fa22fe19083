//! Kinds and states of outflow orders, as stored and as shown.

use crate::breaker::BreakerPoint;
use crate::string_enum;

string_enum! {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum OrderKind("an order's kind") {
        CashOut = "cash_out",
        Settlement = "settlement",
        Refund = "refund",
    }
}

impl OrderKind {
    /// The word of events and of the API for an order of this kind: `withdraw.success`,
    /// `POST /refund`.
    pub fn word(self) -> &'static str {
        match self {
            OrderKind::CashOut => "withdraw",
            OrderKind::Settlement => "settlement",
            OrderKind::Refund => "refund",
        }
    }

    /// The breaker point that is checked in this kind's claim.
    pub fn point(self) -> BreakerPoint {
        match self {
            OrderKind::CashOut => BreakerPoint::CashOut,
            OrderKind::Settlement => BreakerPoint::Settlement,
            OrderKind::Refund => BreakerPoint::Refund,
        }
    }
}

string_enum! {
    /// State of an order as stored. `shown` is what an upstream sees (seed 001).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum OrderState("an order's state") {
        /// Written down, its money not reserved yet: only while balance and ledger are
        /// on servers of their own.
        Booking = "booking",
        /// Accepted and reserved; waits for fence, breaker and a channel.
        Init = "init",
        /// Claimed: the channel call may or may not have left.
        Dispatching = "dispatching",
        /// The channel has it and owes the result.
        Processing = "processing",
        /// No clear answer: reserved, queried, never failed by itself.
        InDoubt = "in_doubt",
        /// A person decides.
        Manual = "manual",
        Success = "success",
        Failed = "failed",
        /// 退票: the channel gave the money back after success.
        Returned = "returned",
    }
}

impl OrderState {
    /// `init → processing → [manual] → success | failed`, `success → returned`.
    pub fn shown(self) -> &'static str {
        match self {
            OrderState::Booking | OrderState::Init | OrderState::Dispatching => "init",
            OrderState::Processing | OrderState::InDoubt => "processing",
            OrderState::Manual
            | OrderState::Success
            | OrderState::Failed
            | OrderState::Returned => self.as_str(),
        }
    }

    /// No more money moves, except that a success may come back as returned.
    pub fn is_end(self) -> bool {
        match self {
            OrderState::Success | OrderState::Failed | OrderState::Returned => true,
            OrderState::Booking
            | OrderState::Init
            | OrderState::Dispatching
            | OrderState::Processing
            | OrderState::InDoubt
            | OrderState::Manual => false,
        }
    }
}
