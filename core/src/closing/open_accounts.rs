//! Accounts whose day could not be closed when they were visited: few, and tried again by
//! themselves, so that one of them does not make the closing visit all the others again.

use std::collections::BTreeMap;

/// Accounts remembered at most. Those beyond wait for the next day's closing, which adds up
/// their days together.
const MAX_OPEN_ACCOUNTS: usize = 1_000;
/// Pauses between two tries of an account double from the first to the longest.
const FIRST_PAUSE_US: i64 = 60_000_000;
const MAX_PAUSE_US: i64 = 3_600_000_000;

/// Account and currency.
pub(super) type AccountKey = (String, String);

/// Tries of one account so far.
#[derive(Debug, Clone, Copy)]
struct OpenAccount {
    tries: u32,
    due_us: i64,
}

/// The accounts, and when each is tried again.
#[derive(Debug, Default)]
pub(super) struct OpenAccounts(BTreeMap<AccountKey, OpenAccount>);

impl OpenAccounts {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells how often the account was tried in vain.
    pub fn tries(&self, key: &AccountKey) -> u32 {
        self.0.get(key).map_or(0, |open| open.tries)
    }

    /// Notes a try in vain; false: there is no room for another account.
    pub fn note(&mut self, key: AccountKey, now_us: i64) -> bool {
        let tries = self.tries(&key);
        if tries == 0 && self.0.len() >= MAX_OPEN_ACCOUNTS {
            return false;
        }
        let pause = FIRST_PAUSE_US.saturating_mul(1 << tries.min(20));
        let open = OpenAccount {
            tries: tries.saturating_add(1),
            due_us: now_us.saturating_add(pause.min(MAX_PAUSE_US)),
        };
        self.0.insert(key, open);
        true
    }

    pub fn remove(&mut self, key: &AccountKey) {
        self.0.remove(key);
    }

    /// Lists those that are to be tried now.
    pub fn due(&self, now_us: i64) -> Vec<AccountKey> {
        let due = self.0.iter().filter(|(_, open)| open.due_us <= now_us);
        due.map(|(key, _)| key.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: usize) -> AccountKey {
        (format!("A{n:05}"), "CNY".into())
    }

    #[test]
    fn an_account_is_tried_again_less_and_less_often() {
        let mut open = OpenAccounts::default();
        let mut now_us = 0;
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert!(open.note(key(1), now_us));
            let due_us = now_us + minutes * 60_000_000;
            assert!(open.due(due_us - 1).is_empty(), "{minutes}");
            assert_eq!(open.due(due_us), [key(1)], "{minutes}");
            now_us = due_us;
        }
        assert_eq!(open.tries(&key(1)), 8);
        open.remove(&key(1));
        assert_eq!((open.len(), open.tries(&key(1))), (0, 0));
    }

    #[test]
    fn a_great_many_are_not_all_remembered() {
        let mut open = OpenAccounts::default();
        assert!((0..MAX_OPEN_ACCOUNTS).all(|n| open.note(key(n), 0)));
        assert!(!open.note(key(MAX_OPEN_ACCOUNTS), 0));
        assert!(open.note(key(7), 0), "one of them, again");
        open.remove(&key(7));
        assert!(open.note(key(MAX_OPEN_ACCOUNTS), 0));
        assert_eq!(open.len(), MAX_OPEN_ACCOUNTS);
    }
}
