//! Brings on what stands still, in four stages (seed 002 §4.1): not sent, no answer,
//! no callback, not heard. Each is bounded; past its bound an order is a person's
//! case and nothing ends silently. docs/ORDERS.md has the whole.
//!
//! Each channel has a line of its own, with its own bound on queries under way: a
//! sick channel's orders wait for each other and for nobody else.

mod ask;
mod count;
mod lease;
mod repo;
pub mod stages;
mod sweep;

use crate::cases::aside::Aside;
use crate::channels::{Client, INTERNAL};
use crate::config;
use crate::guard::fence::Fence;
use crate::orders::Order;
use crate::outcome::Outcomes;
use mysql_async::Pool;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Between two looks of a line for due orders.
const ROUND: Duration = Duration::from_millis(200);
/// The same while there were more than it could take.
const BUSY_ROUND: Duration = Duration::from_millis(20);
/// Between two looks for channels that only the database knows.
const NEW_LINES: Duration = Duration::from_secs(60);

pub struct Recovery {
    pub config: config::Recovery,
    pub pool: Pool,
    pub schemas: Schemas,
    pub key: Secret,
    pub fence: Fence,
    pub channels: Arc<[Client]>,
    pub outcomes: Outcomes,
    pub aside: Aside,
}

/// The orders of one channel.
struct Line {
    channel: String,
    /// Queries that may still start.
    slots: Arc<Semaphore>,
}

impl Recovery {
    pub fn start(self) {
        let this = Arc::new(self);
        tokio::spawn(this.clone().open_lines());
        tokio::spawn(this.clone().sweep());
        tokio::spawn(this.count());
    }

    /// A line for each channel of the settings, for settlements, and for each that an order has: an
    /// order whose channel is gone from the settings must not be forgotten.
    async fn open_lines(self: Arc<Self>) {
        let mut open = HashSet::new();
        loop {
            let mut names: Vec<String> = self.channels.iter().map(|c| c.id().to_owned()).collect();
            names.push(INTERNAL.to_owned());
            match self.known_channels().await {
                Ok(known) => names.extend(known),
                Err(error) => {
                    tracing::warn!("recovery can't read which channels there are: {error:#}")
                }
            }
            for channel in names {
                if open.insert(channel.clone()) {
                    let slots = Arc::new(Semaphore::new(self.config.max_concurrent_queries));
                    tokio::spawn(self.clone().serve(Arc::new(Line { channel, slots })));
                }
            }
            tokio::time::sleep(NEW_LINES).await;
        }
    }

    async fn known_channels(&self) -> anyhow::Result<Vec<String>> {
        repo::channels(&mut self.pool.get_conn().await?).await
    }

    /// Leases as many orders as may be asked for now, asks for each in a task of its
    /// own, and goes on without waiting for them.
    async fn serve(self: Arc<Self>, line: Arc<Line>) {
        let mut pause = ROUND;
        loop {
            tokio::time::sleep(pause).await;
            pause = ROUND;
            let free = line.slots.available_permits();
            if free == 0 {
                continue;
            }
            let orders = match self.lease(&line, free).await {
                Ok(orders) => orders,
                Err(error) => {
                    tracing::warn!(
                        channel = line.channel,
                        "recovery can't lease orders: {error:#}"
                    );
                    continue;
                }
            };
            if orders.len() == free {
                pause = BUSY_ROUND;
            }
            for order in orders {
                // Nobody else takes permits, so there is one for each.
                let permit = line.slots.clone().try_acquire_owned();
                let (this, line) = (self.clone(), line.clone());
                tokio::spawn(async move {
                    let _permit = permit;
                    this.ask(&line, order).await;
                });
            }
        }
    }

    fn client(&self, line: &Line) -> Option<&Client> {
        self.channels.iter().find(|c| c.id() == line.channel)
    }

    /// The wait after an order's latest query, never shorter than the call may take.
    fn wait_us(&self, line: &Line, order: &Order) -> i64 {
        let us = |ms: u64| i64::try_from(ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let (first, longest) = (
            us(self.config.query_initial_delay_ms),
            us(self.config.query_max_delay_ms),
        );
        let deadline = self
            .client(line)
            .map_or(0, |c| c.deadline.as_millis() as u64);
        stages::backoff_us(first, longest, order.queries - 1, &order.order_id)
            .saturating_add(us(deadline))
    }
}
