//! Accounts whose money must wait because a pair of theirs is open.

use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct AccountHolds {
    /// The number of open sides of each account; never 0.
    open: BTreeMap<Box<str>, u32>,
    /// Grows whenever the set of accounts changes.
    version: u64,
}

impl AccountHolds {
    pub fn open(&mut self, account: &str) {
        match self.open.get_mut(account) {
            Some(sides) => *sides += 1,
            None => {
                self.open.insert(account.into(), 1);
                self.version += 1;
            }
        }
    }

    pub fn close(&mut self, account: &str) {
        match self.open.get_mut(account) {
            Some(sides) if *sides > 1 => *sides -= 1,
            Some(_) => {
                self.open.remove(account);
                self.version += 1;
            }
            None => {}
        }
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn accounts(&self) -> Vec<String> {
        self.open.keys().map(|a| a.to_string()).collect()
    }
}
