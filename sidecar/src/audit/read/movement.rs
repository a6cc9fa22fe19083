//! Movement of accounts between two looks.

use std::collections::BTreeMap;

/// Versions of balances, and accounts with a booking under way.
#[derive(Debug, PartialEq, Eq)]
pub struct AccountMovement {
    pub(super) open: Vec<String>,
    pub(super) versions: BTreeMap<(String, String), i64>,
}

impl AccountMovement {
    /// Whether nothing of this account was under way between the two looks.
    pub fn still(&self, later: &AccountMovement, account: &str) -> bool {
        let open = |m: &AccountMovement| m.open.iter().any(|a| a == account);
        let of = |m: &AccountMovement| -> Vec<(String, i64)> {
            let from = (account.to_owned(), String::new());
            let own = m
                .versions
                .range(from..)
                .take_while(|((a, _), _)| a == account);
            own.map(|((_, currency), version)| (currency.clone(), *version))
                .collect()
        };
        !open(self) && !open(later) && of(self) == of(later)
    }
}
