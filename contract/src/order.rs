//! Kinds and states of outflow orders, as stored and as shown.

use crate::breaker::Point;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    CashOut,
    Settlement,
    Refund,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::CashOut, Kind::Settlement, Kind::Refund];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::CashOut => "cash_out",
            Kind::Settlement => "settlement",
            Kind::Refund => "refund",
        }
    }

    /// What events and the API call an order of this kind: `withdraw.success`,
    /// `POST /refund`.
    pub fn word(self) -> &'static str {
        match self {
            Kind::CashOut => "withdraw",
            Kind::Settlement => "settlement",
            Kind::Refund => "refund",
        }
    }

    /// The breaker point that is checked in this kind's claim.
    pub fn point(self) -> Point {
        match self {
            Kind::CashOut => Point::CashOut,
            Kind::Settlement => Point::Settlement,
            Kind::Refund => Point::Refund,
        }
    }
}

/// State of an order as stored. `shown` is what an upstream sees (seed 001).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Written down, its money not reserved yet: only while balance and ledger are
    /// on servers of their own.
    Booking,
    /// Accepted and reserved; waits for fence, breaker and a channel.
    Init,
    /// Claimed: the channel call may or may not have left.
    Dispatching,
    /// The channel has it and will tell the result.
    Processing,
    /// No clear answer: reserved, queried, never failed by itself.
    InDoubt,
    /// A person decides.
    Manual,
    Success,
    Failed,
    /// 退票: the channel gave the money back after success.
    Returned,
}

impl State {
    pub const ALL: [State; 9] = [
        State::Booking,
        State::Init,
        State::Dispatching,
        State::Processing,
        State::InDoubt,
        State::Manual,
        State::Success,
        State::Failed,
        State::Returned,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            State::Booking => "booking",
            State::Init => "init",
            State::Dispatching => "dispatching",
            State::Processing => "processing",
            State::InDoubt => "in_doubt",
            State::Manual => "manual",
            State::Success => "success",
            State::Failed => "failed",
            State::Returned => "returned",
        }
    }

    /// `init → processing → [manual] → success | failed`, `success → returned`.
    pub fn shown(self) -> &'static str {
        match self {
            State::Booking | State::Init | State::Dispatching => "init",
            State::Processing | State::InDoubt => "processing",
            other => other.as_str(),
        }
    }

    /// No more money moves, except that a success may come back as returned.
    pub fn is_end(self) -> bool {
        matches!(self, State::Success | State::Failed | State::Returned)
    }
}

impl FromStr for Kind {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        Kind::ALL
            .into_iter()
            .find(|k| k.as_str() == text)
            .ok_or_else(|| anyhow::anyhow!("unknown kind of order {text:?}"))
    }
}

impl FromStr for State {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        State::ALL
            .into_iter()
            .find(|s| s.as_str() == text)
            .ok_or_else(|| anyhow::anyhow!("unknown order state {text:?}"))
    }
}
