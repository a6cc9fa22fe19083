//! Cases: what a person must look at. Nothing ends silently; what the machine can't
//! decide is written down here, with the order's whole history beside it.

pub mod repo;

/// Why somebody must look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CaseKind {
    /// A channel's word that can't be true together with what we know.
    Contradiction,
    /// A channel speaks of a serial number that nobody here knows.
    UnknownSerial,
    /// Asked as often as allowed, without an end.
    Exhausted,
    /// The upstream never confirmed the result.
    Unheard,
}

impl CaseKind {
    pub fn as_str(self) -> &'static str {
        match self {
            CaseKind::Contradiction => "contradiction",
            CaseKind::UnknownSerial => "unknown_serial",
            CaseKind::Exhausted => "exhausted",
            CaseKind::Unheard => "unheard",
        }
    }
}

/// One case; a repeat of the same is the same case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// `-` if no account is known.
    pub account_id: String,
    /// The order's id, or the serial number that nobody knows.
    pub order_id: String,
    pub kind: CaseKind,
    /// At most 190 characters.
    pub detail: String,
}
