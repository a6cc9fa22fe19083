//! The channels' own words. `core/src/channels` reads the same codes. The psp's
//! words are a payout's `status`, or `status:failure_code`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SimulatorKind {
    NetsUnion,
    UnionPay,
    Psp,
}

/// What became of a trade, as the channel knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TradeStage {
    /// Accepted; not paid yet, and it may still fail.
    InProcess,
    Paid,
    Failed,
    /// Refused for good, by this channel alone.
    NotHere,
    /// Paid, and given back later (退票).
    Returned,
}

impl SimulatorKind {
    pub const COUNT: usize = 3;
    pub const ALL: [SimulatorKind; SimulatorKind::COUNT] = [
        SimulatorKind::NetsUnion,
        SimulatorKind::UnionPay,
        SimulatorKind::Psp,
    ];

    /// The channel's id in paths, settings and secrets.
    pub fn id(self) -> &'static str {
        match self {
            SimulatorKind::NetsUnion => "netsunion",
            SimulatorKind::UnionPay => "unionpay",
            SimulatorKind::Psp => "psp",
        }
    }

    /// Position of this channel's state in arrays over all.
    pub(super) fn index(self) -> usize {
        match self {
            SimulatorKind::NetsUnion => 0,
            SimulatorKind::UnionPay => 1,
            SimulatorKind::Psp => 2,
        }
    }

    /// Reply to a request whose result is told later.
    pub(super) fn accepted(self) -> &'static str {
        match self {
            SimulatorKind::NetsUnion => "2001",
            SimulatorKind::UnionPay => "00",
            SimulatorKind::Psp => "pending",
        }
    }

    /// Reply to a request that was refused for good: account invalid.
    pub(super) fn refused(self) -> &'static str {
        match self {
            SimulatorKind::NetsUnion => "1001",
            SimulatorKind::UnionPay => "11",
            SimulatorKind::Psp => "failed:invalid_account",
        }
    }

    /// Reply to a request that this channel alone refuses for good: it doesn't reach the
    /// payee's bank.
    pub(super) fn not_here(self) -> &'static str {
        match self {
            SimulatorKind::UnionPay => "15",
            SimulatorKind::NetsUnion | SimulatorKind::Psp => self.result(TradeStage::NotHere),
        }
    }

    /// The same serial number on the same date. The two unions say nothing about the
    /// result; the psp answers with the payout as it is now.
    pub(super) fn duplicate(self, stage: TradeStage) -> &'static str {
        match self {
            SimulatorKind::NetsUnion => "9002",
            SimulatorKind::UnionPay => "03",
            SimulatorKind::Psp => self.result(stage),
        }
    }

    /// The same serial number and date with another amount or account. This
    /// request was refused; the first one may well have been paid.
    pub(super) fn conflict(self) -> &'static str {
        match self {
            SimulatorKind::NetsUnion => "1003",
            SimulatorKind::UnionPay => "12",
            SimulatorKind::Psp => "idempotency_conflict",
        }
    }

    /// A word that is in no list. The psp's for what it did not pay is a failure
    /// that its documentation doesn't name.
    pub(super) fn unlisted(self, code: &str, pays: bool) -> String {
        if self == SimulatorKind::Psp && !pays {
            format!("failed:{code}")
        } else {
            code.to_owned()
        }
    }

    pub(super) fn no_such_trade(self) -> &'static str {
        match self {
            SimulatorKind::NetsUnion => "9001",
            SimulatorKind::UnionPay => "34",
            SimulatorKind::Psp => "payout_not_found",
        }
    }

    /// How a query answers, and a callback tells, the stage of a trade.
    pub(super) fn result(self, stage: TradeStage) -> &'static str {
        match (self, stage) {
            (SimulatorKind::NetsUnion, TradeStage::InProcess) => "2001",
            (SimulatorKind::NetsUnion, TradeStage::Paid) => "0000",
            // This channel has no word for a return; scripts can't ask for one.
            (SimulatorKind::NetsUnion, TradeStage::Failed | TradeStage::Returned) => "1001",
            (SimulatorKind::NetsUnion, TradeStage::NotHere) => "1005",
            (SimulatorKind::UnionPay, TradeStage::InProcess) => "05",
            (SimulatorKind::UnionPay, TradeStage::Paid) => "00S",
            (SimulatorKind::UnionPay, TradeStage::Failed) => "00F",
            (SimulatorKind::UnionPay, TradeStage::NotHere) => "00N",
            (SimulatorKind::UnionPay, TradeStage::Returned) => "00R",
            (SimulatorKind::Psp, TradeStage::InProcess) => "pending",
            (SimulatorKind::Psp, TradeStage::Paid) => "paid",
            (SimulatorKind::Psp, TradeStage::Failed) => "failed:invalid_account",
            (SimulatorKind::Psp, TradeStage::NotHere) => "failed:bank_not_supported",
            (SimulatorKind::Psp, TradeStage::Returned) => "returned",
        }
    }
}

impl fmt::Display for SimulatorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for SimulatorKind {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        SimulatorKind::ALL
            .into_iter()
            .find(|k| k.id() == text)
            .ok_or_else(|| {
                anyhow::anyhow!("channel {text:?} is not simulated: use netsunion, unionpay or psp")
            })
    }
}
