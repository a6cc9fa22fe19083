//! The outbox without brokers: what has waited longer than anybody will come for it leaves
//! the hot path by pages, oldest first, into a table that only retention reads.

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
        // Another core has brokers: what waits is for it to publish.
        if lease::ended_after(&mut conn, &self.schemas, LEASE_NAME, before_us).await? {
            return Ok(0);
        }
        repo::outbox_archive(&mut conn, &aged, None, now).await?;
        METRICS.outbox.archived.inc_by(aged.len() as u64);
        Ok(aged.len())
    }
}
