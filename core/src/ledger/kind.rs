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
