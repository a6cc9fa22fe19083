//! Accounts that a client may touch.

use crate::config::OWNER_WORD;

/// One line of a client's `accounts`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum AccountPattern {
    /// The end user's own account.
    Owner,
    /// Every account whose id begins so; all of them if it is empty.
    Prefix(String),
    Exact(String),
}

/// The accounts of one client.
#[derive(Debug, Clone)]
pub struct AccountScope(Vec<AccountPattern>);

impl AccountScope {
    /// Reads the lines of the settings; without any it is the end user's account.
    pub fn new(accounts: &[String]) -> Self {
        let pattern = |text: &String| match text.strip_suffix('*') {
            _ if text == OWNER_WORD => AccountPattern::Owner,
            Some(prefix) => AccountPattern::Prefix(prefix.to_owned()),
            None => AccountPattern::Exact(text.clone()),
        };
        let patterns: Vec<_> = accounts.iter().map(pattern).collect();
        match patterns.is_empty() {
            true => AccountScope(vec![AccountPattern::Owner]),
            false => AccountScope(patterns),
        }
    }

    /// Makes the scope of a caller that nothing is configured for.
    pub fn everything() -> Self {
        AccountScope(vec![AccountPattern::Prefix(String::new())])
    }

    /// Tells whether the account is in it. An end user has one account, whatever else the
    /// client may touch.
    pub fn covers(&self, account: &str, end_user: Option<&str>) -> bool {
        let is_theirs = end_user.is_none_or(|own| own == account);
        is_theirs
            && self.0.iter().any(|pattern| match pattern {
                AccountPattern::Owner => end_user == Some(account),
                AccountPattern::Prefix(prefix) => account.starts_with(prefix.as_str()),
                AccountPattern::Exact(id) => id == account,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_by_table() {
        let scope = |lines: &[&str]| {
            AccountScope::new(&lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>())
        };
        for (lines, account, end_user, covered) in [
            (&["A-1"][..], "A-1", None, true),
            (&["A-1"], "A-10", None, false),
            (&["A-1"], "a-1", None, false),
            (&["A-*", "B"], "A-10", None, true),
            (&["A-*", "B"], "B", None, true),
            (&["A-*", "B"], "BA-1", None, false),
            (&["*"], "x", None, true),
            (&["*"], "x", Some("y"), false),
            (&["A-*"], "B-1", Some("B-1"), false),
            (&[], "x", None, false),
            (&[], "x", Some("x"), true),
            (&["owner"], "x", Some("x"), true),
            (&["owner"], "owner", None, false),
        ] {
            let found = scope(lines).covers(account, end_user);
            assert_eq!(found, covered, "{lines:?} {account} {end_user:?}");
        }
    }
}
