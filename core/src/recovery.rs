//! Brings orders on that stand still after they were claimed. Always query
//! first, by the stored serial number and trade time (seed 002 §4.1, stages 2
//! and 3); a bounded number of times, then the order is a person's case.

use crate::channels::Client;
use crate::config;
use crate::journal::Journal;
use crate::metrics::METRICS;
use crate::orders::repo;
use crate::orders::state::Event;
use crate::orders::{Order, OrderRef};
use crate::outcome::{Outcome, Outcomes, Taken};
use mysql_async::Pool;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::order::{Kind, State};
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use std::sync::Arc;
use std::time::Duration;

const ROUND: Duration = Duration::from_millis(200);
/// Orders leased in one transaction: as many as are queried side by side.
const PAGE: usize = 64;
/// Unfinished orders are counted this often, in rounds.
const COUNT_EVERY: u32 = 10;
const STANDING: [State; 3] = [State::Dispatching, State::InDoubt, State::Processing];

pub struct Recovery {
    pub config: config::Recovery,
    pub pool: Pool,
    pub schemas: Schemas,
    pub key: Secret,
    pub channels: Arc<[Client]>,
    pub outcomes: Outcomes,
}

impl Recovery {
    pub fn start(self) {
        tokio::spawn(Arc::new(self).run());
    }

    async fn run(self: Arc<Self>) {
        for round in 0u32.. {
            tokio::time::sleep(ROUND).await;
            match self.lease().await {
                Ok(orders) => self.clone().ask_all(orders).await,
                Err(error) => tracing::warn!("recovery can't lease orders: {error:#}"),
            }
            if round % COUNT_EVERY == 0
                && let Err(error) = self.count().await
            {
                tracing::warn!("can't count unfinished orders: {error:#}");
            }
        }
    }

    /// Takes due orders for one query each. The lease is the new due time, signed
    /// like every change of an order; an instance that dies leaves it to run out.
    async fn lease(&self) -> anyhow::Result<Vec<Order>> {
        let mut conn = self.pool.get_conn().await?;
        let due = repo::due(&mut conn, &STANDING, now_us(), (0, ""), PAGE).await?;
        if due.is_empty() {
            return Ok(due);
        }
        conn.query_drop("START TRANSACTION").await?;
        let mut orders = {
            let due: Vec<OrderRef> = due.iter().map(Order::at).collect();
            repo::lock(&mut conn, due.iter()).await?
        };
        let now = now_us();
        orders.retain(|o| STANDING.contains(&o.state) && o.due_us.is_some_and(|due| due <= now));
        for order in &mut orders {
            order.queries += 1;
            order.version += 1;
            order.updated_us = now;
            order.due_us = Some(now + self.wait_us(order));
        }
        if orders.is_empty() {
            conn.query_drop("ROLLBACK").await?;
            return Ok(orders);
        }
        let journal = Journal { moved_orders: orders.iter().collect(), ..Journal::default() };
        conn.query_drop(journal.commit_sql(&self.schemas, &self.key, now)?).await?;
        Ok(orders)
    }

    /// Doubles from query to query, never shorter than the call itself may take.
    fn wait_us(&self, order: &Order) -> i64 {
        let doublings = u32::try_from(order.queries - 1).unwrap_or(0).min(20);
        let grown = self.config.query_first_ms.saturating_mul(1 << doublings).min(self.config.query_most_ms);
        let deadline = self.channel(order).map_or(0, |c| c.deadline.as_millis() as u64);
        i64::try_from(grown.saturating_add(deadline) * 1_000).unwrap_or(i64::MAX)
    }

    fn channel(&self, order: &Order) -> Option<&Client> {
        self.channels.iter().find(|c| order.channel.as_deref() == Some(c.id()))
    }

    async fn ask_all(self: Arc<Self>, orders: Vec<Order>) {
        let asks = orders.into_iter().map(|order| {
            let this = self.clone();
            tokio::spawn(async move { this.ask(order).await })
        });
        for ask in asks.collect::<Vec<_>>() {
            // A panic in one query is that order's alone; its lease runs out.
            let _ = ask.await;
        }
    }

    async fn ask(&self, order: Order) {
        let spent = order.queries >= i64::from(self.config.most_queries);
        if order.kind == Kind::Settlement {
            let _ = self.outcomes.record(Outcome::settled(order.at())).await;
            return;
        }
        let outcome = match self.channel(&order) {
            Some(channel) => {
                tracing::info!(order = %order.order_id, state = order.state.as_str(), queries = order.queries, "asking the channel");
                Outcome::heard(order.at(), channel.id(), channel.query(&order).await)
            }
            None => Outcome::new(order.at(), Event::Unknown),
        };
        // Asked for the last time, "no such trade" is a person's case too: sending
        // again has not helped so often.
        let ends = !matches!(outcome.event, Event::Unknown | Event::Accepted | Event::NoSuchTrade);
        if !spent || ends {
            // What can't be recorded now is asked for again when the lease has run out.
            let taken = self.outcomes.record(outcome).await;
            if !spent || taken == Ok(Taken::Moved) {
                return;
            }
        }
        tracing::error!(order = %order.order_id, "asked {} times without an end: a person's case", order.queries);
        let _ = self.outcomes.record(Outcome::new(order.at(), Event::Exhausted)).await;
    }

    async fn count(&self) -> anyhow::Result<()> {
        let mut conn = self.pool.get_conn().await?;
        let rows = repo::unfinished(&mut conn).await?;
        let now = now_us();
        let mut oldest = 0;
        for state in State::ALL.into_iter().filter(|s| !s.is_end()) {
            let row = rows.iter().find(|(s, ..)| s == state.as_str());
            METRICS.unfinished.with_label_values(&[state.as_str()]).set(row.map_or(0, |r| r.1));
            oldest = oldest.max(row.map_or(0, |r| (now - r.2) / 1_000_000));
        }
        METRICS.oldest_unfinished.set(oldest);
        Ok(())
    }
}
