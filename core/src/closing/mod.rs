//! Closing of days: off the hot path, one instance at a time, each account's books are added
//! up to the end of the day, compared with its balance, and stored, so that a statement
//! begins with a stored sum and not with all of history. Every account is visited once; one
//! whose day can't be closed then is tried again by itself.

mod account;
mod day;
mod open_accounts;
mod repo;

pub use crate::closing::day::ClosingDay;

use crate::balance;
use crate::batch::FailureClass;
use crate::closing::account::{AccountClosing, ClosingResult};
use crate::closing::open_accounts::AccountKey;
use crate::guard::lease;
use crate::metrics::METRICS;
use sluice_contract::clock::now_us;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::Pool;
use sluice_contract::supervisor::Supervisor;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const LEASE_NAME: &str = "closing";
const LEASE_DURATION_US: i64 = 60_000_000;
const ROUND_INTERVAL: Duration = Duration::from_secs(60);
/// Accounts that are read at once, and the pause after them.
const MAX_ACCOUNTS_PER_PAGE: usize = 200;
/// Accounts, one behind the other, whose books nobody answered for: then it is the server. One
/// that has too many entries for a call's deadline is alone.
const MAX_CONSECUTIVE_SILENCES: usize = 8;
const PAGE_PAUSE: Duration = Duration::from_millis(20);
const US_PER_DAY: i64 = 86_400_000_000;
/// Time after the end of a day before it is closed: whatever was stamped in it has been
/// committed or given up by then, whatever the clocks of the hosts say.
const GRACE_US: i64 = 3_600_000_000;

/// The part that closes days; each instance has one, and one of them works.
pub struct DayClosing {
    pub balance: Pool,
    pub ledger: Pool,
    /// Balance and ledger are on one server: one snapshot shows both.
    pub together: bool,
    pub schemas: Schemas,
    pub owner: String,
    /// Server of the leases.
    pub orders: Pool,
}

/// The last end of a day that may be closed at `now_us`.
fn last_end(now_us: i64) -> i64 {
    let settled = now_us - GRACE_US;
    settled - settled.rem_euclid(US_PER_DAY)
}

impl DayClosing {
    /// Starts it among `parts`.
    pub fn start(self, parts: &Supervisor) {
        parts.spawn("day-closing", self.run(parts.stop_token()));
    }

    async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut day = ClosingDay::new(0);
        while !stop.is_cancelled() {
            let until_us = last_end(now_us());
            if until_us != day.until_us || !day.is_done() {
                let round = self.round(&mut day, until_us);
                if let Some(Err(error)) = stop.run_until_cancelled(round).await {
                    tracing::warn!("days are closed later: {error:#}");
                }
            }
            stop.run_until_cancelled(tokio::time::sleep(ROUND_INTERVAL))
                .await;
        }
        Ok(())
    }

    async fn round(&self, day: &mut ClosingDay, until_us: i64) -> anyhow::Result<()> {
        if until_us != day.until_us {
            let mut conn = self.orders.get_conn().await?;
            *day = ClosingDay::resume(until_us, &repo::place(&mut conn).await?);
            METRICS.closing.open.set(0);
        }
        if !day.is_done() && !self.go_on(day, now_us()).await? && day.open_accounts() == 0 {
            // Another instance is at it: the next look is at how far that one has come.
            day.until_us = 0;
        }
        Ok(())
    }

    /// Closes the day for the accounts that were not visited yet, then for those that are to
    /// be tried again at `round_us`; false if another instance is at it.
    ///
    /// # Errors
    /// The database's; what is stored stays, and the next call goes on.
    pub async fn go_on(&self, day: &mut ClosingDay, round_us: i64) -> anyhow::Result<bool> {
        (day.leased_us, day.silent_in_a_row) = (now_us(), 0);
        if !self.hold_lease().await? {
            return Ok(false);
        }
        let due = day.open.due(round_us);
        while let Some(after) = day.after.clone() {
            let mut conn = self.balance.get_conn().await?;
            let page = balance::repo::page(&mut conn, &self.schemas, &after, MAX_ACCOUNTS_PER_PAGE)
                .await?;
            drop(conn);
            let is_last = page.len() < MAX_ACCOUNTS_PER_PAGE;
            let last = page
                .last()
                .map(|(id, currency, _)| (id.clone(), currency.clone()));
            for (account_id, currency, updated_us) in page {
                if !self
                    .visit(day, (account_id, currency), updated_us, round_us)
                    .await?
                {
                    return Ok(false);
                }
            }
            day.after = last.filter(|_| !is_last);
            let mut conn = self.orders.get_conn().await?;
            repo::keep_place(&mut conn, &day.place()).await?;
            drop(conn);
            tokio::time::sleep(PAGE_PAUSE).await;
        }
        for key in due {
            // When it last moved is not asked again: it is added up in any case.
            if !self.visit(day, key, i64::MAX, round_us).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Closes one account's day, or notes that it is to be tried again; false if the lease
    /// is another's by now.
    async fn visit(
        &self,
        day: &mut ClosingDay,
        key: AccountKey,
        updated_us: i64,
        round_us: i64,
    ) -> anyhow::Result<bool> {
        if now_us().saturating_sub(day.leased_us) > LEASE_DURATION_US / 4 {
            if !self.hold_lease().await? {
                return Ok(false);
            }
            day.leased_us = now_us();
        }
        let Ok(currency) = key.1.parse() else {
            // A newer build's: that one closes it.
            return Ok(true);
        };
        let account = AccountClosing {
            account_id: key.0.clone(),
            currency,
            updated_us,
            tries: day.open.tries(&key),
        };
        let closed = self.close(&account, day.until_us).await;
        let result = match closed {
            Ok(result) => {
                day.silent_in_a_row = 0;
                result
            }
            Err(error) => {
                let is_silence = FailureClass::of(&error) == FailureClass::Disconnected;
                day.silent_in_a_row += usize::from(is_silence);
                if day.silent_in_a_row > MAX_CONSECUTIVE_SILENCES {
                    // A server is away: no account's own fault. The round begins again.
                    return Err(error);
                }
                // The others' days are closed all the same.
                let account = account.account_id.as_str();
                tracing::warn!(account, "its day is not closed: {error:#}");
                ClosingResult::Failed
            }
        };
        if result.is_final() {
            day.open.remove(&key);
        } else if !day.open.note(key, round_us) {
            METRICS.closing.count("left");
        }
        if result != ClosingResult::Unmoved {
            METRICS.closing.count(result.as_str());
        }
        let open = i64::try_from(day.open.len()).unwrap_or(i64::MAX);
        METRICS.closing.open.set(open);
        Ok(true)
    }

    async fn hold_lease(&self) -> anyhow::Result<bool> {
        let mut conn = self.orders.get_conn().await?;
        let (name, owner, life) = (LEASE_NAME, &self.owner, LEASE_DURATION_US);
        lease::take(&mut conn, &self.schemas, name, owner, now_us(), life).await
    }
}

#[cfg(test)]
mod tests {
    use super::{GRACE_US, US_PER_DAY, last_end};

    #[test]
    fn a_day_is_closed_an_hour_after_its_end() {
        let end = 20_000 * US_PER_DAY;
        assert_eq!(last_end(end + GRACE_US - 1), end - US_PER_DAY);
        assert_eq!(last_end(end + GRACE_US), end);
        assert_eq!(last_end(end + US_PER_DAY), end);
    }
}
