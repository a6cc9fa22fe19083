//! Leadership in the guard schema: the lease of the one active sidecar, and the
//! checkpoint from which the next one reads on.

pub mod checkpoint_repo;
pub mod clock_repo;
pub mod guard_db;
pub mod lease_repo;
pub mod retry;
pub mod transaction;
