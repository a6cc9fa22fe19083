//! The leased pool of orders that need looking at. A lease is the next due time,
//! written and signed like every change of an order: it belongs to one instance and
//! one query, and runs out by itself if that instance dies.

use crate::orders::history::{OrderTransition, QUERY_EVENT};
use crate::orders::{self, Order, OrderRef};
use crate::recovery::{OrderRecovery, QueryLane, repo};
use crate::unit_of_work::UnitOfWork;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::order::OrderState;
use sluice_contract::sql;

/// States in which a channel is asked.
pub(super) const QUERIED_STATES: [OrderState; 3] = [
    OrderState::Dispatching,
    OrderState::InDoubt,
    OrderState::Processing,
];

impl OrderRecovery {
    /// Takes at most `most` due orders of the lane's channel, for one query each.
    pub(super) async fn lease(&self, lane: &QueryLane, most: usize) -> anyhow::Result<Vec<Order>> {
        let due = {
            let mut conn = self.pool.get_conn().await?;
            repo::due_of(
                &mut conn,
                &lane.channel,
                &QUERIED_STATES,
                now_us(),
                &self.quarantine.ids(),
                most,
            )
            .await?
        };
        if due.is_empty() {
            return Ok(Vec::new());
        }
        match self.take(lane, &due).await {
            Err(error) if !sql::is_transient(&error) => Ok(self.take_isolated(lane, &due).await),
            taken => taken,
        }
    }

    /// One order spoils the page: each gets a transaction of its own, so that only
    /// that one is quarantined.
    async fn take_isolated(&self, lane: &QueryLane, due: &[OrderRef]) -> Vec<Order> {
        let mut taken = Vec::with_capacity(due.len());
        for at in due {
            match self.take(lane, std::slice::from_ref(at)).await {
                Ok(one) => taken.extend(one),
                Err(error) if sql::is_transient(&error) => break,
                Err(error) => self.quarantine.put(at, "can't be asked for", &error).await,
            }
        }
        taken
    }

    async fn take(&self, lane: &QueryLane, due: &[OrderRef]) -> anyhow::Result<Vec<Order>> {
        let mut conn = self.pool.get_conn().await?;
        conn.query_drop("START TRANSACTION").await?;
        let mut orders = orders::repo::lock(&mut conn, due.iter()).await?;
        let now = now_us();
        orders.retain(|o| {
            QUERIED_STATES.contains(&o.state) && o.due_us.is_some_and(|due| due <= now)
        });
        if orders.is_empty() {
            conn.query_drop("ROLLBACK").await?;
            return Ok(orders);
        }
        for order in &mut orders {
            order.queries += 1;
            order.version += 1;
            order.updated_us = now;
            order.due_us = Some(now + self.wait_us(lane, order));
        }
        let unit_of_work = UnitOfWork {
            moved_orders: orders.iter().collect(),
            moves: orders
                .iter()
                .map(|o| OrderTransition::of(o, o.state, QUERY_EVENT))
                .collect(),
            ..UnitOfWork::default()
        };
        conn.query_drop(unit_of_work.commit_sql(&self.schemas, &self.key, now)?)
            .await?;
        Ok(orders)
    }
}
