//! Accounts whose bookings were refused lately, in memory: a hint, and never an answer.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Accounts remembered at most; beyond it the oldest knowledge goes all at once.
const MAX_REMEMBERED: usize = 10_000;
/// Time for which an account is looked at before it is asked.
const REMEMBERED_FOR: Duration = Duration::from_secs(3_600);

/// The accounts, and until when.
#[derive(Default)]
pub(crate) struct RecentRefusals(Mutex<HashMap<String, Instant>>);

impl RecentRefusals {
    /// Remembers the account.
    pub fn note(&self, account_id: &str) {
        let mut all = self.0.lock().unwrap_or_else(|e| e.into_inner());
        if all.len() >= MAX_REMEMBERED {
            all.clear();
        }
        all.insert(account_id.to_owned(), Instant::now() + REMEMBERED_FOR);
    }

    /// Tells whether the account was refused lately.
    pub fn has(&self, account_id: &str) -> bool {
        let all = self.0.lock().unwrap_or_else(|e| e.into_inner());
        all.get(account_id)
            .is_some_and(|until| *until > Instant::now())
    }
}
