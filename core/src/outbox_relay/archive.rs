//! The outbox without brokers: what has waited longer than anybody will come for it leaves
//! the hot path by pages, oldest first, into a table that only retention reads.
//!
//! A core without brokers may be one whose setting was forgotten, among others that publish
//! and are all down. So nothing is archived once any core has ever published, unless the
//! settings say that nobody will again.

use crate::guard::lease;
use crate::metrics::METRICS;
use crate::orders::repo::{self, OutboxRow};
use crate::outbox_relay::{LEASE_NAME, OutboxRelay};
use sluice_contract::clock::now_us;

impl OutboxRelay {
    /// Archives one page of aged rows; returns how many went. Only the oldest page is ever
    /// read: the cost doesn't grow with what is kept.
    pub(super) async fn archive_aged(&mut self) -> anyhow::Result<usize> {
        let rows = self.read("").await?;
        self.show_backlog(&rows, 1).await?;
        let now = now_us();
        let before_us = now - self.archive_after.as_micros() as i64;
        let aged: Vec<&OutboxRow> = rows.iter().filter(|r| r.created_us < before_us).collect();
        let mut conn = self.pool.get_conn().await?;
        let published_until_us = lease::end_us(&mut conn, &self.schemas, LEASE_NAME).await?;
        let is_ours = match published_until_us {
            None => true,
            Some(until_us) => self.gives_up && until_us < before_us,
        };
        // While a relay lives, the backlog is its own to tell.
        let is_nobodys = published_until_us.is_some_and(|until_us| until_us < now) && !is_ours;
        let unclaimed = if is_nobodys { aged.len() } else { 0 };
        METRICS.outbox.unclaimed.set(unclaimed as i64);
        if !is_ours {
            return Ok(0);
        }
        repo::outbox_archive(&mut conn, &aged, None, (&self.key, now)).await?;
        METRICS.outbox.archived.inc_by(aged.len() as u64);
        Ok(aged.len())
    }
}
