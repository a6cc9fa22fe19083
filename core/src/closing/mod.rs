//! Closing of days: off the hot path, one instance at a time, each account's books are added
//! up to the end of the day, compared with its balance, and stored, so that a statement
//! begins with a stored sum and not with all of history.

mod account;

use crate::balance;
use crate::closing::account::{AccountClosing, ClosingResult};
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
/// Accounts between two looks at the lease, and the pause after them.
const MAX_ACCOUNTS_PER_PAGE: usize = 200;
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
        let mut closed_until = 0;
        while !stop.is_cancelled() {
            let until_us = last_end(now_us());
            if closed_until < until_us {
                match stop.run_until_cancelled(self.close_all(until_us)).await {
                    Some(Ok(true)) => closed_until = until_us,
                    Some(Ok(false)) | None => {}
                    Some(Err(error)) => tracing::warn!("days are closed later: {error:#}"),
                }
            }
            stop.run_until_cancelled(tokio::time::sleep(ROUND_INTERVAL))
                .await;
        }
        Ok(())
    }

    /// Closes the day for every account; false if another instance is at it, or if an
    /// account has to be tried again.
    ///
    /// # Errors
    /// The database's; what is stored stays, and the next round goes on.
    pub async fn close_all(&self, until_us: i64) -> anyhow::Result<bool> {
        let (mut after, mut all) = ((String::new(), String::new()), true);
        loop {
            if !self.hold_lease().await? {
                return Ok(false);
            }
            let mut conn = self.balance.get_conn().await?;
            let page = balance::repo::page(&mut conn, &self.schemas, &after, MAX_ACCOUNTS_PER_PAGE)
                .await?;
            drop(conn);
            let is_last = page.len() < MAX_ACCOUNTS_PER_PAGE;
            if let Some(last) = page.last() {
                after = (last.0.clone(), last.1.clone());
            }
            for (account_id, currency, updated_us) in page {
                let Ok(currency) = currency.parse() else {
                    // A newer build's: that one closes it.
                    continue;
                };
                let account = AccountClosing {
                    account_id,
                    currency,
                    updated_us,
                };
                let result = match self.close(&account, until_us).await {
                    Ok(result) => result,
                    // The others' days are closed all the same; this one is tried again.
                    Err(error) => {
                        tracing::warn!(
                            account = account.account_id,
                            "its day is not closed: {error:#}"
                        );
                        all = false;
                        continue;
                    }
                };
                if result != ClosingResult::Unmoved {
                    METRICS
                        .closing
                        .accounts
                        .with_label_values(&[result.as_str()])
                        .inc();
                }
            }
            if is_last {
                return Ok(all);
            }
            tokio::time::sleep(PAGE_PAUSE).await;
        }
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
