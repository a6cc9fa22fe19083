//! Cases that a person must look at. Nothing ends silently; what the machine can't
//! decide is written down here, with the order's whole history beside it.

pub mod repo;

use sluice_contract::string_enum;

string_enum! {
    /// Reason why a person must look.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum CaseKind("a kind of case") {
        /// A channel's word that can't be true together with what we know.
        Contradiction = "contradiction",
        /// A channel speaks of a serial number that nobody here knows.
        UnknownSerial = "unknown_serial",
        /// Asked as often as allowed, without an end.
        Exhausted = "exhausted",
        /// The upstream never acknowledged the result.
        Unacknowledged = "unacknowledged",
        /// The order waits to be sent for longer than anybody may overlook.
        NotSent = "not_sent",
        /// A cumulative total had less than an order was to give back.
        LimitTotal = "limit_total",
        /// A row can't be read or written: an order in quarantine, so that others go on, or a
        /// breaker of a newer version.
        Unreadable = "unreadable",
        /// Events that Kafka can't be given: set aside in `outbox_archive` under this
        /// transaction id, so that others go on.
        Unpublishable = "unpublishable",
        /// The order's row isn't as the core wrote it: nothing is sent or taken for it.
        Altered = "altered",
        /// The order's seal names a key that isn't configured: nothing is sent or taken for it.
        UnknownKey = "unknown_key",
    }
}

/// Kinds that the core closes itself, once the order has gone on.
pub const KINDS_CLOSED_BY_CORE: [CaseKind; 3] = [
    CaseKind::Exhausted,
    CaseKind::Unacknowledged,
    CaseKind::NotSent,
];
/// Closers that are no person: cases that they closed may be opened again.
pub const AUTOMATIC_CLOSERS: [&str; 3] = ["channel", "upstream", "core"];

/// Kinds that a person closes and that open again if their cause is there still.
pub const REOPENED_KINDS: [CaseKind; 2] = [CaseKind::Altered, CaseKind::UnknownKey];

/// One case; a repeat of the same is the same case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderCase {
    /// `-` if no account is known.
    pub account_id: String,
    /// The order's id, or the serial number that nobody knows.
    pub order_id: String,
    pub kind: CaseKind,
    /// At most 190 characters.
    pub detail: String,
}

/// End of the cases that the core opened itself for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseClosing {
    pub account_id: String,
    pub order_id: String,
    /// One of [`AUTOMATIC_CLOSERS`].
    pub by: &'static str,
}

/// Cuts a detail to its column: at most 190 characters.
pub fn detail(text: &str) -> String {
    text.chars().take(190).collect()
}

/// Cuts a channel's word to its column: ASCII, at most 32 characters.
pub fn storable(word: &str) -> String {
    word.chars()
        .map(|c| if c.is_ascii_graphic() { c } else { '?' })
        .take(32)
        .collect()
}
