//! Kinds of postings, and sides of their entries.

use sluice_contract::string_enum;

string_enum! {
    /// Side of an entry. A credit on one of an account's books increases it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum EntrySide("side of an entry") {
        Debit = "D",
        Credit = "C",
    }
}

string_enum! {
    /// Reason why money moved.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum PostingKind("kind of posting") {
        Deposit = "deposit",
        /// A payment comes onto the intermediate account.
        Capture = "capture",
        Reserve = "reserve",
        Finalize = "finalize",
        Release = "release",
        Return = "return",
    }
}

impl PostingKind {
    /// Tells whether money comes in from outside, without an order.
    pub fn is_incoming(self) -> bool {
        match self {
            PostingKind::Deposit | PostingKind::Capture => true,
            PostingKind::Reserve
            | PostingKind::Finalize
            | PostingKind::Release
            | PostingKind::Return => false,
        }
    }
}
