//! Patience of transactions with locks that somebody else holds.

use crate::batch::{FailureClass, FollowUp, RetryPolicy};

/// Patience of a transaction with locks that somebody else holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LockWait {
    /// As long as the session says: locks are held for milliseconds.
    #[default]
    Usual,
    /// Not at all, some times over: its rows may be locked for long.
    SomeTries,
    /// Not at all: its rows were locked a moment ago.
    Never,
    /// Rows that are locked are left out: whoever has them is at work on them, and they come
    /// up again.
    Skip,
}

impl LockWait {
    /// Completes a statement that ends with `FOR UPDATE`.
    pub fn of(self, mut lock_sql: String) -> String {
        lock_sql.push_str(match self {
            LockWait::Usual => "",
            LockWait::SomeTries | LockWait::Never => " NOWAIT",
            LockWait::Skip => " SKIP LOCKED",
        });
        lock_sql
    }

    /// Decides what follows try number `attempt` if a lock did not come; other failures
    /// by their class.
    pub fn follow_up(self, error: &anyhow::Error, policy: &RetryPolicy, attempt: u32) -> FollowUp {
        match (FailureClass::of(error), self) {
            (FailureClass::Locked, LockWait::SomeTries) => {
                FollowUp::Retry(policy.after_conflict(attempt))
            }
            (FailureClass::Locked, LockWait::Usual | LockWait::Never | LockWait::Skip) => {
                FollowUp::GiveUp
            }
            _ => FollowUp::by_class(error, policy, attempt),
        }
    }
}
