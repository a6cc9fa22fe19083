//! The ledger service: append-only postings of balanced entries.

mod kind;
mod posting;

pub mod daily_repo;
pub mod entry;
pub mod repo;

pub mod events;

pub use kind::{EntrySide, PostingKind};
pub use posting::{
    ACCOUNT_BOOKS, AVAILABLE_BOOK, BookingAmount, INTERMEDIATE_BOOK, INTERMEDIATE_RESERVED_BOOK,
    PAYMENTS_CLEARING_BOOK, Posting, RESERVED_BOOK,
};
