//! Runs over everything at rest: when one is due, when asked, and to close a gap.

mod confirm;
mod entry_keys;
pub mod gap;
mod gap_rows;
mod give_way;
mod job;
pub mod lost_position;
mod named_accounts;
mod pace;
mod runner;
pub mod schedule;
mod servers;

pub use servers::servers;
