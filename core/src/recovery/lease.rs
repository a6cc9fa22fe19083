//! The leased pool of orders that need looking at. A lease is the next due time,
//! written and signed like every change of an order: it belongs to one instance and
//! one query, and runs out by itself if that instance dies.

use super::{Line, Recovery, repo};
use crate::history::{Move, QUERY};
use crate::journal::Journal;
use crate::orders::{self, Order, OrderRef};
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::order::State;
use sluice_contract::sql;

/// States in which a channel is asked.
pub(super) const ASKED: [State; 3] = [State::Dispatching, State::InDoubt, State::Processing];

impl Recovery {
    /// Takes at most `most` due orders of the line's channel, for one query each.
    pub(super) async fn lease(&self, line: &Line, most: usize) -> anyhow::Result<Vec<Order>> {
        let due = {
            let mut conn = self.pool.get_conn().await?;
            repo::due_of(
                &mut conn,
                &line.channel,
                &ASKED,
                now_us(),
                &self.aside.ids(),
                most,
            )
            .await?
        };
        if due.is_empty() {
            return Ok(Vec::new());
        }
        match self.take(line, &due).await {
            Err(error) if !sql::is_passing(&error) => Ok(self.take_apart(line, &due).await),
            taken => taken,
        }
    }

    /// One order spoils the page: each gets a transaction of its own, so that only
    /// that one is put aside.
    async fn take_apart(&self, line: &Line, due: &[OrderRef]) -> Vec<Order> {
        let mut taken = Vec::with_capacity(due.len());
        for at in due {
            match self.take(line, std::slice::from_ref(at)).await {
                Ok(one) => taken.extend(one),
                Err(error) if sql::is_passing(&error) => break,
                Err(error) => self.aside.put(at, "can't be asked for", &error).await,
            }
        }
        taken
    }

    async fn take(&self, line: &Line, due: &[OrderRef]) -> anyhow::Result<Vec<Order>> {
        let mut conn = self.pool.get_conn().await?;
        conn.query_drop("START TRANSACTION").await?;
        let mut orders = orders::repo::lock(&mut conn, due.iter()).await?;
        let now = now_us();
        orders.retain(|o| ASKED.contains(&o.state) && o.due_us.is_some_and(|due| due <= now));
        if orders.is_empty() {
            conn.query_drop("ROLLBACK").await?;
            return Ok(orders);
        }
        for order in &mut orders {
            order.queries += 1;
            order.version += 1;
            order.updated_us = now;
            order.due_us = Some(now + self.wait_us(line, order));
        }
        let journal = Journal {
            moved_orders: orders.iter().collect(),
            moves: orders.iter().map(|o| Move::of(o, o.state, QUERY)).collect(),
            ..Journal::default()
        };
        conn.query_drop(journal.commit_sql(&self.schemas, &self.key, now)?)
            .await?;
        Ok(orders)
    }
}
