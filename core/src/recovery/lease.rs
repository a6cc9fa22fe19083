//! Leases of orders that need looking at. A lease is the next due time, written and
//! signed like every change of an order: it belongs to one instance and one query, and
//! runs out by itself if that instance dies.
//!
//! | phase | statement | round trips |
//! |---|---|---|
//! | find | `SELECT` of due orders of the channel | 1 |
//! | begin, lock | `START TRANSACTION`; `SELECT … FOR UPDATE` | 2 |
//! | write and commit | one signed batch of statements | 1 |

use crate::batch::{self, BatchFailure, BatchTransaction, LockWait, RetryPolicy, SpoiledItem};
use crate::orders::history::{OrderTransition, QUERY_EVENT};
use crate::orders::{self, Order, OrderRef};
use crate::recovery::channel_queries::ChannelQueries;
use crate::recovery::{OrderRecovery, repo};
use crate::transaction::Transaction;
use crate::unit_of_work::UnitOfWork;
use sluice_contract::clock::now_us;
use sluice_contract::order::OrderState;

/// States in which a channel is asked.
pub(super) const QUERIED_STATES: [OrderState; 3] = [
    OrderState::Dispatching,
    OrderState::InDoubt,
    OrderState::Processing,
];

impl OrderRecovery {
    /// Takes at most `max_orders` due orders of the channel, for one query each.
    /// An order that spoils the page is found and quarantined.
    pub(super) async fn lease(
        &self,
        queries: &ChannelQueries,
        max_orders: usize,
    ) -> anyhow::Result<Vec<Order>> {
        let due = self.due(queries, max_orders).await?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let recovery = self;
        let mut lease = LeaseTransaction { recovery, queries };
        match (batch::run(&mut lease, &due).await, due.as_slice()) {
            (Ok(orders), _) => Ok(orders),
            (Err(failure), [only]) if failure.is_items_fault => {
                lease.spoiled(only, failure).await;
                Ok(Vec::new())
            }
            (Err(failure), _) => Err(failure.error),
        }
    }

    async fn due(
        &self,
        queries: &ChannelQueries,
        max_orders: usize,
    ) -> anyhow::Result<Vec<OrderRef>> {
        let mut conn = self.pool.get_conn().await?;
        repo::due_of(
            &mut conn,
            &queries.channel,
            &QUERIED_STATES,
            now_us(),
            &self.quarantine.ids(),
            max_orders,
        )
        .await
    }
}

/// Lease of one page of a channel.
struct LeaseTransaction<'a> {
    recovery: &'a OrderRecovery,
    queries: &'a ChannelQueries,
}

impl BatchTransaction for LeaseTransaction<'_> {
    type Item = OrderRef;
    type Done = Order;

    fn policy(&self) -> &'static RetryPolicy {
        &batch::policy::LEASE
    }

    async fn attempt(&mut self, due: &[OrderRef]) -> anyhow::Result<Vec<Order>> {
        let mut conn = self.recovery.pool.get_conn().await?;
        let mut transaction = Transaction::begin(&mut conn).await?;
        let mut orders = orders::repo::lock(transaction.conn(), due.iter(), LockWait::Skip).await?;
        let now = now_us();
        orders.retain(|o| {
            QUERIED_STATES.contains(&o.state) && o.due_us.is_some_and(|due| due <= now)
        });
        if orders.is_empty() {
            transaction.roll_back().await?;
            return Ok(orders);
        }
        for order in &mut orders {
            order.queries += 1;
            order.version += 1;
            order.updated_us = now;
            order.due_us = Some(now + self.recovery.wait_us(self.queries, order));
        }
        let unit_of_work = UnitOfWork {
            moved_orders: orders.iter().collect(),
            moves: orders
                .iter()
                .map(|o| OrderTransition::of(o, o.state, QUERY_EVENT))
                .collect(),
            ..UnitOfWork::default()
        };
        let (schemas, key) = (&self.recovery.schemas, &self.recovery.key);
        unit_of_work.commit(transaction, schemas, key, now).await?;
        Ok(orders)
    }

    /// Leaves the connection to the pool, which resets it.
    async fn reset(&mut self, _: &anyhow::Error) {}

    /// Quarantines an order that can't be leased even alone, unless the fault is the
    /// database's.
    async fn spoiled(&mut self, order: &OrderRef, failure: BatchFailure) -> SpoiledItem<Order> {
        if !failure.is_items_fault {
            return SpoiledItem::Stop;
        }
        let quarantine = &self.recovery.quarantine;
        quarantine
            .put(order, "can't be asked for", &failure.error)
            .await;
        SpoiledItem::Skip
    }
}
