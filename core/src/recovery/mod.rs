//! Brings on what stands still, in four stages (seed 002 §4.1): not sent, no answer,
//! no callback, not heard. Each is bounded; past its bound an order is a person's
//! case and nothing ends silently. docs/ORDERS.md has the whole.
//!
//! Each channel has a lane of its own, with its own bound on queries under way: a
//! sick channel's orders wait for each other and for nobody else.

mod ask;
mod count;
mod lease;
mod repo;
pub mod stages;
mod sweep;

use crate::channels::{ChannelClient, INTERNAL_CHANNEL};
use crate::config;
use crate::guard::fence::FenceClient;
use crate::orders::Order;
use crate::outcome::OutcomeRecorder;
use crate::quarantine::OrderQuarantine;
use mysql_async::Pool;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use sluice_contract::supervisor::Supervisor;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Between two looks of a lane for due orders.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// The same while there were more than it could take.
const BUSY_POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Between two looks for channels that only the database knows.
const CHANNEL_SCAN_INTERVAL: Duration = Duration::from_secs(60);

pub struct OrderRecovery {
    pub config: config::RecoveryConfig,
    pub pool: Pool,
    pub schemas: Schemas,
    pub key: Secret,
    pub fence: FenceClient,
    pub channels: Arc<[ChannelClient]>,
    pub outcomes: OutcomeRecorder,
    pub quarantine: OrderQuarantine,
    /// Its loops and the queries under way.
    pub parts: Supervisor,
}

/// The orders of one channel.
struct QueryLane {
    channel: String,
    /// Queries that may still start.
    permits: Arc<Semaphore>,
}

impl OrderRecovery {
    pub fn start(self) {
        let this = Arc::new(self);
        let parts = this.parts.clone();
        parts.spawn_loop("recovery-lanes", this.clone().open_lanes());
        parts.spawn_loop("recovery-sweep", this.clone().sweep());
        parts.spawn_loop("recovery-count", this.count());
    }

    /// A lane for each channel of the settings, for settlements, and for each that an order has: an
    /// order whose channel is gone from the settings must not be forgotten.
    async fn open_lanes(self: Arc<Self>) {
        let mut open = HashSet::new();
        loop {
            let mut names: Vec<String> = self.channels.iter().map(|c| c.id().to_owned()).collect();
            names.push(INTERNAL_CHANNEL.to_owned());
            match self.known_channels().await {
                Ok(known) => names.extend(known),
                Err(error) => {
                    tracing::warn!("recovery can't read which channels there are: {error:#}")
                }
            }
            for channel in names {
                if open.insert(channel.clone()) {
                    let permits = Arc::new(Semaphore::new(self.config.max_concurrent_queries));
                    let name = format!("recovery-{channel}");
                    let lane = Arc::new(QueryLane { channel, permits });
                    self.parts.spawn(name, self.clone().serve(lane));
                }
            }
            tokio::time::sleep(CHANNEL_SCAN_INTERVAL).await;
        }
    }

    async fn known_channels(&self) -> anyhow::Result<Vec<String>> {
        repo::channels(&mut self.pool.get_conn().await?).await
    }

    /// Leases as many orders as may be asked for now, asks for each in a task of its
    /// own, and goes on without waiting for them.
    async fn serve(self: Arc<Self>, lane: Arc<QueryLane>) -> anyhow::Result<()> {
        let stop = self.parts.stop_token();
        let mut pause = POLL_INTERVAL;
        // Stopped between two leases, never within one: what is leased is asked for.
        while stop
            .run_until_cancelled(tokio::time::sleep(pause))
            .await
            .is_some()
        {
            pause = POLL_INTERVAL;
            let free = lane.permits.available_permits();
            if free == 0 {
                continue;
            }
            let orders = match self.lease(&lane, free).await {
                Ok(orders) => orders,
                Err(error) => {
                    tracing::warn!(
                        channel = lane.channel,
                        "recovery can't lease orders: {error:#}"
                    );
                    continue;
                }
            };
            if orders.len() == free {
                pause = BUSY_POLL_INTERVAL;
            }
            for order in orders {
                // Nobody else takes permits, so there is one for each.
                let permit = lane.permits.clone().try_acquire_owned();
                let (this, lane) = (self.clone(), lane.clone());
                self.parts.job(async move {
                    let _permit = permit;
                    this.ask(&lane, order).await;
                });
            }
        }
        Ok(())
    }

    fn client(&self, lane: &QueryLane) -> Option<&ChannelClient> {
        self.channels.iter().find(|c| c.id() == lane.channel)
    }

    /// The wait after an order's latest query, never shorter than the call may take.
    fn wait_us(&self, lane: &QueryLane, order: &Order) -> i64 {
        let us = |ms: u64| i64::try_from(ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let (first, longest) = (
            us(self.config.query_initial_delay_ms),
            us(self.config.query_max_delay_ms),
        );
        let deadline = self
            .client(lane)
            .map_or(0, |c| c.deadline.as_millis() as u64);
        crate::backoff::backoff_us(first, longest, order.queries - 1, &order.order_id)
            .saturating_add(us(deadline))
    }
}
