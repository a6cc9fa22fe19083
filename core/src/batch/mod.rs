//! Batches: many requests that share one transaction, written by a few writers.
//!
//! | phase | what decides | file |
//! |---|---|---|
//! | collect | size and linger | `collect` |
//! | attempt | the writer's own transaction | accept, outcome, saga, claim, lease |
//! | classify the failure | the server's error code | `failure` |
//! | retry the whole | tries and pauses of the kind of batch | `policy`, `retry` |
//! | a locked account by itself | a lock that did not come | `locked`, `lock_wait` |
//! | isolate: each item alone | a fault that no further try mends | `isolate` |
//! | quarantine the one that spoils | the writer (`BatchTransaction::spoiled`) | |
//!
//! One order whose row can't be written would otherwise hold up every order that shares
//! a batch with it.

mod collect;
mod failure;
mod isolate;
mod lock_wait;
mod locked;
pub mod policy;
mod retry;

pub use collect::BatchCollector;
pub use failure::FailureClass;
pub use isolate::{SpoiledItem, isolate, run};
pub use lock_wait::LockWait;
pub use locked::{AccountTransaction, LockedAccounts, run_beside_locked};
pub use policy::RetryPolicy;
pub use retry::{BatchFailure, BatchTransaction, FollowUp, retry};

#[cfg(test)]
mod tests;
