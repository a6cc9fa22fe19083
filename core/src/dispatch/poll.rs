//! Polling for orders that nobody remembers: of an instance that died, that fell out
//! of the queue, or that wait for a breaker.

use crate::dispatch::{Dispatcher, MAX_SILENCE};
use crate::metrics::METRICS;
use crate::orders::{OrderRef, repo};
use crate::routing;
use sluice_contract::clock::now_us;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Orders read per poll of the table.
const MAX_ORDERS_PER_POLL: usize = 500;
/// Interval at which orders without a route are counted.
const UNROUTED_COUNT_INTERVAL: Duration = Duration::from_secs(5);

/// Due time and id of the last order of a page.
type PollCursor = (i64, String);

impl Dispatcher {
    /// Pages through the orders with a cursor, so that many blocked ones don't hide the
    /// ones behind.
    pub(super) async fn poll(self: Arc<Self>) {
        let mut cursor = PollCursor::default();
        let mut counted: Option<Instant> = None;
        let beat = self.parts.heartbeat("order-poll", MAX_SILENCE);
        loop {
            beat.turn();
            tokio::time::sleep(Duration::from_millis(self.config.poll_interval_ms)).await;
            if counted.is_none_or(|at| at.elapsed() > UNROUTED_COUNT_INTERVAL) {
                counted = Some(Instant::now());
                if let Err(error) = self.count_unrouted().await {
                    tracing::warn!("can't count orders without a route: {error:#}");
                }
            }
            self.channels.iter().for_each(|c| c.permits.sweep());
            if self.fence.stalled().is_some() || self.ready.len() > self.config.queue_capacity / 2 {
                continue;
            }
            if let Err(error) = self.push_page(&mut cursor).await {
                tracing::warn!("can't poll for orders: {error:#}");
            }
        }
    }

    /// Puts one page into the ready queue, but for those that wait for a permit.
    async fn push_page(&self, cursor: &mut PollCursor) -> anyhow::Result<()> {
        let page = self.page(cursor).await?;
        *cursor = match page.last() {
            Some((due, at)) if page.len() == MAX_ORDERS_PER_POLL => (*due, at.order_id.clone()),
            Some(_) | None => PollCursor::default(),
        };
        let holds = self.fence.held_accounts();
        // A held one is not lost: it is parked, or found once its account is free.
        let waits = |at: &OrderRef| {
            holds.contains(&at.account_id) || self.channels.iter().any(|c| c.permits.is_waiting(at))
        };
        page.into_iter()
            .filter(|(_, at)| !waits(at))
            .for_each(|(_, at)| self.ready.push(at));
        Ok(())
    }

    async fn page(&self, cursor: &PollCursor) -> anyhow::Result<Vec<(i64, OrderRef)>> {
        let mut conn = self.pool.get_conn().await?;
        let after = (cursor.0, cursor.1.as_str());
        repo::due_to_send(&mut conn, now_us(), after, MAX_ORDERS_PER_POLL).await
    }

    async fn count_unrouted(&self) -> anyhow::Result<()> {
        let (count, oldest) = routing::repo::unrouted(&mut self.pool.get_conn().await?).await?;
        METRICS.routing.unrouted.set(count);
        METRICS
            .routing
            .unrouted_oldest
            .set(oldest.map_or(0, |at| (now_us() - at) / 1_000_000));
        Ok(())
    }
}
