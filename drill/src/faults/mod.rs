//! The five kinds of loss (seed 003) as faults that can be made on purpose, each
//! by plain SQL or a lying upstream, each on an account of its own.

pub mod act;
pub mod signed;

use serde::Serialize;

/// One kind of loss and how the drill makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
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

impl Kind {
    pub const ALL: [Kind; 5] = [
        Kind::WrongOutput,
        Kind::UpstreamDownstream,
        Kind::Duplicate,
        Kind::InternalLogic,
        Kind::ManualFix,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::WrongOutput => "wrong_output",
            Kind::UpstreamDownstream => "upstream_downstream",
            Kind::Duplicate => "duplicate",
            Kind::InternalLogic => "internal_logic",
            Kind::ManualFix => "manual_fix",
        }
    }

    /// What happens, for the one who watches the story.
    pub fn told(self) -> &'static str {
        match self {
            Kind::WrongOutput => "an upstream asks for 12.34 and submits 1234",
            Kind::UpstreamDownstream => "money is booked for a deposit that was never received",
            Kind::Duplicate => "one withdrawal is submitted twice under two keys",
            Kind::InternalLogic => "a paid order is set back to be paid again",
            Kind::ManualFix => "somebody credits an account by hand",
        }
    }
}
