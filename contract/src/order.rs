//! Kinds and states of outflow orders, as stored and as shown.

use crate::breaker::BreakerPoint;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    CashOut,
    Settlement,
    Refund,
}

impl OrderKind {
    pub const ALL: [OrderKind; 3] = [OrderKind::CashOut, OrderKind::Settlement, OrderKind::Refund];

    pub fn as_str(self) -> &'static str {
        match self {
            OrderKind::CashOut => "cash_out",
            OrderKind::Settlement => "settlement",
            OrderKind::Refund => "refund",
        }
    }

    /// What events and the API call an order of this kind: `withdraw.success`,
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

/// State of an order as stored. `shown` is what an upstream sees (seed 001).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
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

impl OrderState {
    pub const ALL: [OrderState; 9] = [
        OrderState::Booking,
        OrderState::Init,
        OrderState::Dispatching,
        OrderState::Processing,
        OrderState::InDoubt,
        OrderState::Manual,
        OrderState::Success,
        OrderState::Failed,
        OrderState::Returned,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            OrderState::Booking => "booking",
            OrderState::Init => "init",
            OrderState::Dispatching => "dispatching",
            OrderState::Processing => "processing",
            OrderState::InDoubt => "in_doubt",
            OrderState::Manual => "manual",
            OrderState::Success => "success",
            OrderState::Failed => "failed",
            OrderState::Returned => "returned",
        }
    }

    /// `init → processing → [manual] → success | failed`, `success → returned`.
    pub fn shown(self) -> &'static str {
        match self {
            OrderState::Booking | OrderState::Init | OrderState::Dispatching => "init",
            OrderState::Processing | OrderState::InDoubt => "processing",
            other => other.as_str(),
        }
    }

    /// No more money moves, except that a success may come back as returned.
    pub fn is_end(self) -> bool {
        matches!(
            self,
            OrderState::Success | OrderState::Failed | OrderState::Returned
        )
    }
}

impl FromStr for OrderKind {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        OrderKind::ALL
            .into_iter()
            .find(|k| k.as_str() == text)
            .ok_or_else(|| anyhow::anyhow!("unknown kind of order {text:?}"))
    }
}

impl FromStr for OrderState {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        OrderState::ALL
            .into_iter()
            .find(|s| s.as_str() == text)
            .ok_or_else(|| anyhow::anyhow!("unknown order state {text:?}"))
    }
}
