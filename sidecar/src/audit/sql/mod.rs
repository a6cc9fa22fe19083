//! SQL of reading data at rest. Set-wise: a statement per table and chunk, never one
//! per account; none joins schemas, so that each may be on a server of its own.
//!
//! What must agree is compared here only as far as it must be found: rules judge.
//! Where millions of rows agree (postings, payments, orders), each side is summed up
//! per account by a checksum, the exclusive or of the CRC-32 of every row's words; only
//! accounts whose checksums differ are read row by row. A single fault is missed with a
//! chance of 1 in 4 · 10⁹.

pub mod account_filter;
pub mod books_sql;
pub mod captures_sql;
pub mod checksum_sql;
pub mod entries_sql;
pub mod orders_sql;
pub mod postings_sql;
pub mod snapshot_sql;
