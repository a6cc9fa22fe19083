//! The five kinds of loss (seed 003) as faults that can be made on purpose, each
//! by plain SQL or a lying upstream, each on an account of its own.

pub mod signed;

pub mod injection;

use serde::Serialize;

/// One kind of loss and how the drill makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Right input, wrong output: the upstream asked for 12.34 and sent 1234.
    WrongOutput,
    /// Upstream and downstream disagree: money booked for a deposit that nobody received.
    UpstreamDownstream,
    /// The same business order under two keys.
    Duplicate,
    /// Wrong logic inside: a paid order set back to the start, with a valid signature.
    InternalLogic,
    /// A person credits an account by hand, in balanced books.
    ManualFix,
}

impl FaultKind {
    pub const ALL: [FaultKind; 5] = [
        FaultKind::WrongOutput,
        FaultKind::UpstreamDownstream,
        FaultKind::Duplicate,
        FaultKind::InternalLogic,
        FaultKind::ManualFix,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            FaultKind::WrongOutput => "wrong_output",
            FaultKind::UpstreamDownstream => "upstream_downstream",
            FaultKind::Duplicate => "duplicate",
            FaultKind::InternalLogic => "internal_logic",
            FaultKind::ManualFix => "manual_fix",
        }
    }

    /// The fault in words, for a person who watches the story.
    pub fn description(self) -> &'static str {
        match self {
            FaultKind::WrongOutput => "an upstream asks for 12.34 and submits 1234",
            FaultKind::UpstreamDownstream => {
                "money is booked for a deposit that was never received"
            }
            FaultKind::Duplicate => "one withdrawal is submitted twice under two keys",
            FaultKind::InternalLogic => "a paid order is set back to be paid again",
            FaultKind::ManualFix => "somebody credits an account by hand",
        }
    }
}
