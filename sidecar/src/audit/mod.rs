//! Checks of data at rest: on a schedule, when asked, and after a stretch of the
//! binlog that could not be read. They find what `sql_log_bin=0` hid, and what is
//! older than the sidecar.
//!
//! Read in chunks of accounts, each in one consistent snapshot → judged by rules →
//! what is suspect is read once more in a later snapshot → what is still wrong is
//! committed: verdict, breakers and "it stands" in one transaction under the lease.
//! Only the holder of the lease runs one, and one at a time; a run that ends half-way
//! starts over.

pub mod audit_context;
mod finding_id;
pub mod findings_repo;
pub mod read;
pub mod run;
pub mod runs_repo;
pub mod settings;
pub mod sql;
mod status;
pub mod writer;

pub use status::{AuditHandle, AuditProgress, AuditReason, AuditStatus};
