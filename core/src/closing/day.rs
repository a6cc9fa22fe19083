//! One day that is being closed: how far its closing has come.

use crate::closing::open_accounts::{AccountKey, OpenAccounts};

/// Sign in a stored place that every account was visited: no account has it in its id.
const WALKED: &str = "*";

/// A day, the place among the accounts, and those to be tried again.
pub struct ClosingDay {
    /// The end of the day, in µs since 1970 UTC.
    pub(super) until_us: i64,
    /// Accounts behind this one were not visited yet; None: all were.
    pub(super) after: Option<AccountKey>,
    pub(super) open: OpenAccounts,
    /// The lease was held at this time.
    pub(super) leased_us: i64,
    /// Accounts, one behind the other, for which no server answered.
    pub(super) silent_in_a_row: usize,
}

impl ClosingDay {
    /// Begins with the first account.
    pub fn new(until_us: i64) -> Self {
        ClosingDay {
            until_us,
            after: Some(AccountKey::default()),
            open: OpenAccounts::default(),
            leased_us: 0,
            silent_in_a_row: 0,
        }
    }

    /// Begins where somebody has come to with this day, by the stored place.
    pub(super) fn resume(until_us: i64, place: &str) -> Self {
        let mut day = ClosingDay::new(until_us);
        let parts: Vec<&str> = place.splitn(3, ' ').collect();
        match parts[..] {
            [until, WALKED] if until == until_us.to_string() => day.after = None,
            [until, currency, account] if until == until_us.to_string() => {
                day.after = Some((account.to_owned(), currency.to_owned()));
            }
            _ => {}
        }
        day
    }

    /// The place to be stored.
    pub(super) fn place(&self) -> String {
        match &self.after {
            None => format!("{} {WALKED}", self.until_us),
            Some((account, currency)) => format!("{} {currency} {account}", self.until_us),
        }
    }

    /// Tells whether nothing is left to be done for this day.
    pub fn is_done(&self) -> bool {
        self.after.is_none() && self.open.len() == 0
    }

    /// Counts the accounts that are to be tried again.
    pub fn open_accounts(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_takes_over_goes_on_from_the_stored_place() {
        let mut day = ClosingDay::new(7);
        day.after = Some(("A-1".into(), "CNY".into()));
        assert_eq!(ClosingDay::resume(7, &day.place()).after, day.after);
        // Another day begins anew.
        let begun = Some(AccountKey::default());
        assert_eq!(ClosingDay::resume(8, &day.place()).after, begun);
        assert_eq!(ClosingDay::resume(7, "").after, begun);
        day.after = None;
        assert!(ClosingDay::resume(7, &day.place()).is_done());
        assert_eq!(ClosingDay::resume(8, &day.place()).after, begun);
        let long = ("a".repeat(32), "CNY".to_owned());
        day = ClosingDay::new(i64::from(u32::MAX) * 1_000_000);
        day.after = Some(long);
        assert!(day.place().len() <= 64, "the column holds it");
    }
}
