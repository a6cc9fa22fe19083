//! The channels' own words. `core/src/channels` reads the same codes. The psp's
//! words are a payout's `status`, or `status:failure_code`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    NetsUnion,
    UnionPay,
    Psp,
}

/// What became of a trade, as the channel knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Accepted; not paid yet, and it may still fail.
    InProcess,
    Paid,
    Failed,
    /// Refused for good, by this channel alone.
    NotHere,
    /// Paid, and given back later (退票).
    Returned,
}

impl Kind {
    pub const COUNT: usize = 3;
    pub const ALL: [Kind; Kind::COUNT] = [Kind::NetsUnion, Kind::UnionPay, Kind::Psp];

    /// The channel's id in paths, settings and secrets.
    pub fn id(self) -> &'static str {
        match self {
            Kind::NetsUnion => "netsunion",
            Kind::UnionPay => "unionpay",
            Kind::Psp => "psp",
        }
    }

    /// Position of this channel's state in arrays over all.
    pub(super) fn index(self) -> usize {
        match self {
            Kind::NetsUnion => 0,
            Kind::UnionPay => 1,
            Kind::Psp => 2,
        }
    }

    /// Reply to a request whose result is told later.
    pub(super) fn accepted(self) -> &'static str {
        match self {
            Kind::NetsUnion => "2001",
            Kind::UnionPay => "00",
            Kind::Psp => "pending",
        }
    }

    /// Reply to a request that was refused for good: account invalid.
    pub(super) fn refused(self) -> &'static str {
        match self {
            Kind::NetsUnion => "1001",
            Kind::UnionPay => "11",
            Kind::Psp => "failed:invalid_account",
        }
    }

    /// Reply to a request that this channel alone refuses for good: it doesn't reach the
    /// payee's bank.
    pub(super) fn not_here(self) -> &'static str {
        match self {
            Kind::UnionPay => "15",
            Kind::NetsUnion | Kind::Psp => self.result(Stage::NotHere),
        }
    }

    /// The same serial number on the same date. The two unions say nothing about the
    /// result; the psp answers with the payout as it is now.
    pub(super) fn duplicate(self, stage: Stage) -> &'static str {
        match self {
            Kind::NetsUnion => "9002",
            Kind::UnionPay => "03",
            Kind::Psp => self.result(stage),
        }
    }

    /// The same serial number and date with another amount or account. This
    /// request was refused; the first one may well have been paid.
    pub(super) fn conflict(self) -> &'static str {
        match self {
            Kind::NetsUnion => "1003",
            Kind::UnionPay => "12",
            Kind::Psp => "idempotency_conflict",
        }
    }

    /// A word that is in no list. The psp's for what it did not pay is a failure
    /// that its documentation doesn't name.
    pub(super) fn unlisted(self, code: &str, pays: bool) -> String {
        if self == Kind::Psp && !pays {
            format!("failed:{code}")
        } else {
            code.to_owned()
        }
    }

    pub(super) fn no_such_trade(self) -> &'static str {
        match self {
            Kind::NetsUnion => "9001",
            Kind::UnionPay => "34",
            Kind::Psp => "payout_not_found",
        }
    }

    /// How a query answers, and a callback tells, the stage of a trade.
    pub(super) fn result(self, stage: Stage) -> &'static str {
        match (self, stage) {
            (Kind::NetsUnion, Stage::InProcess) => "2001",
            (Kind::NetsUnion, Stage::Paid) => "0000",
            // This channel has no word for a return; scripts can't ask for one.
            (Kind::NetsUnion, Stage::Failed | Stage::Returned) => "1001",
            (Kind::NetsUnion, Stage::NotHere) => "1005",
            (Kind::UnionPay, Stage::InProcess) => "05",
            (Kind::UnionPay, Stage::Paid) => "00S",
            (Kind::UnionPay, Stage::Failed) => "00F",
            (Kind::UnionPay, Stage::NotHere) => "00N",
            (Kind::UnionPay, Stage::Returned) => "00R",
            (Kind::Psp, Stage::InProcess) => "pending",
            (Kind::Psp, Stage::Paid) => "paid",
            (Kind::Psp, Stage::Failed) => "failed:invalid_account",
            (Kind::Psp, Stage::NotHere) => "failed:bank_not_supported",
            (Kind::Psp, Stage::Returned) => "returned",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for Kind {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        Kind::ALL
            .into_iter()
            .find(|k| k.id() == text)
            .ok_or_else(|| {
                anyhow::anyhow!("channel {text:?} is not simulated: use netsunion, unionpay or psp")
            })
    }
}
