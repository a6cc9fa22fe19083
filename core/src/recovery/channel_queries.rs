//! Queries of one channel: its due orders, and those that are being asked for. A sick
//! channel's orders wait for each other and for nobody else.

use crate::backoff::backoff_us;
use crate::channels::{ChannelClient, INTERNAL_CHANNEL};
use crate::config::RecoveryConfig;
use crate::orders::Order;
use crate::outcome::SlowQueries;
use crate::recovery::due_cursor::DueCursor;
use crate::recovery::{MAX_SILENCE, OrderRecovery, repo};
use sluice_contract::clock::now_us;
use sluice_contract::order::OrderState;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Pause between two looks for due orders of a channel.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// Pause while there were more than could be taken.
const BUSY_POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Part of a channel's queries that orders may have that are a person's case, beside the
/// others.
const SLOW_SHARE: usize = 8;
/// Pause between two looks for channels that only the database knows.
const CHANNEL_SCAN_INTERVAL: Duration = Duration::from_secs(60);

/// Queries of one channel and one urgency.
pub(super) struct ChannelQueries {
    pub channel: String,
    pub urgency: QueryUrgency,
    /// Queries that may still start.
    permits: Arc<Semaphore>,
}

/// Two lines of a channel: thousands of cases that are asked for at long intervals must not
/// keep the orders waiting that fell into doubt a moment ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueryUrgency {
    Usual,
    /// Orders that are a person's case.
    Slow,
}

impl QueryUrgency {
    const ALL: [QueryUrgency; 2] = [QueryUrgency::Usual, QueryUrgency::Slow];

    /// States whose orders are asked for.
    pub fn states(self) -> &'static [OrderState] {
        match self {
            QueryUrgency::Usual => &[
                OrderState::Dispatching,
                OrderState::InDoubt,
                OrderState::Processing,
            ],
            QueryUrgency::Slow => &[OrderState::Manual],
        }
    }

    fn max_queries(self, config: &RecoveryConfig) -> usize {
        match self {
            QueryUrgency::Usual => config.max_concurrent_queries,
            QueryUrgency::Slow => (config.max_concurrent_queries / SLOW_SHARE).max(1),
        }
    }
}

impl OrderRecovery {
    /// Opens queries for each channel of the settings, for settlements, and for each channel
    /// that an order has: an order whose channel is gone from the settings must not be forgotten.
    pub(super) async fn open_channels(self: Arc<Self>) {
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
                    self.open_channel(&channel);
                }
            }
            tokio::time::sleep(CHANNEL_SCAN_INTERVAL).await;
        }
    }

    fn open_channel(self: &Arc<Self>, channel: &str) {
        for urgency in QueryUrgency::ALL {
            let queries = ChannelQueries {
                channel: channel.to_owned(),
                urgency,
                permits: Arc::new(Semaphore::new(urgency.max_queries(&self.config))),
            };
            let name = format!("recovery-{channel}-{urgency:?}").to_lowercase();
            self.parts
                .spawn(name, self.clone().serve(Arc::new(queries)));
        }
    }

    async fn known_channels(&self) -> anyhow::Result<Vec<String>> {
        repo::channels(&mut self.pool.get_conn().await?).await
    }

    /// Leases as many orders as may be asked for now, asks for each in a task of its
    /// own, and goes on without waiting for them.
    async fn serve(self: Arc<Self>, queries: Arc<ChannelQueries>) -> anyhow::Result<()> {
        let stop = self.parts.stop_token();
        let mut pause = POLL_INTERVAL;
        let mut cursor = DueCursor::default();
        let part = format!("recovery-{}", queries.channel);
        let beat = self.parts.heartbeat(&part, MAX_SILENCE);
        // Stopped between two leases, never within one: what is leased is asked for.
        while stop
            .run_until_cancelled(tokio::time::sleep(pause))
            .await
            .is_some()
        {
            beat.turn();
            pause = POLL_INTERVAL;
            let free = queries.permits.available_permits();
            if free == 0 {
                continue;
            }
            let orders = match self.lease(&queries, &mut cursor, free).await {
                Ok(orders) => orders,
                Err(error) => {
                    tracing::warn!(
                        channel = queries.channel,
                        "recovery can't lease orders: {error:#}"
                    );
                    continue;
                }
            };
            let is_more = cursor.after().is_some() && !orders.is_empty();
            if orders.len() == free || is_more {
                pause = BUSY_POLL_INTERVAL;
            }
            for order in orders {
                // Nobody else takes permits, so there is one for each.
                let permit = queries.permits.clone().try_acquire_owned();
                let (this, queries) = (self.clone(), queries.clone());
                self.parts.job(async move {
                    let _permit = permit;
                    this.ask(&queries, order).await;
                });
            }
        }
        Ok(())
    }

    pub(super) fn client(&self, queries: &ChannelQueries) -> Option<&ChannelClient> {
        self.channels.iter().find(|c| c.id() == queries.channel)
    }

    /// The wait after an order's latest query, never shorter than the call may take.
    pub(super) fn wait_us(&self, queries: &ChannelQueries, order: &Order) -> i64 {
        if queries.urgency == QueryUrgency::Slow {
            return SlowQueries::of(&self.config).wait_us(order, now_us());
        }
        let us = |ms: u64| i64::try_from(ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let (first, longest) = (
            us(self.config.query_initial_delay_ms),
            us(self.config.query_max_delay_ms),
        );
        let deadline = self
            .client(queries)
            .map_or(0, |c| c.deadline.as_millis() as u64);
        backoff_us(first, longest, order.queries - 1, &order.order_id).saturating_add(us(deadline))
    }
}
