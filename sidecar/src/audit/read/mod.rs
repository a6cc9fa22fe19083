//! Readings of data at rest, each time in one consistent snapshot.
//!
//! On one server everything is as of one commit. With balance or ledger on servers of
//! their own there are two or three snapshots a moment apart: what differs then may
//! only have been under way, and is looked at again (see `confirm`).

/// Accounts of one reading that names them.
pub const MAX_ACCOUNTS_PER_READ: usize = 200;

mod books;
mod captures;
mod checksum_diff;
mod entries;
mod movement;
mod orders;
mod postings;
mod reader;
mod reading;
mod servers;

#[cfg(test)]
mod tests;

pub use entries::{EntryKeys, EntrySeals};
pub use movement::AccountMovement;
pub use reader::AuditReader;
pub use reading::AuditReading;
pub use servers::AuditServers;
