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
use crate::orders::{self, AlteredOrder, Order, OrderRef};
use crate::recovery::channel_queries::ChannelQueries;
use crate::recovery::due_cursor::DueCursor;
use crate::recovery::repo::DuePage;
use crate::recovery::{OrderRecovery, repo};
use crate::transaction::Transaction;
use crate::unit_of_work::UnitOfWork;
use sluice_contract::clock::now_us;
use sluice_contract::order::OrderState;

/// Queries that an order counts at most: its column is no wider, and a person's case may
/// last for years.
const MAX_COUNTED_QUERIES: i64 = 30_000;

impl OrderRecovery {
    /// Takes at most `max_orders` due orders of the channel, for one query each, from where
    /// the cursor is, which passes them. An order that spoils the page is found and
    /// quarantined.
    pub(super) async fn lease(
        &self,
        queries: &ChannelQueries,
        cursor: &mut DueCursor,
        max_orders: usize,
    ) -> anyhow::Result<Vec<Order>> {
        let due = self.due(queries, cursor, max_orders).await?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let recovery = self;
        let mut lease = LeaseTransaction {
            recovery,
            queries,
            altered: Vec::new(),
        };
        let leased = batch::run(&mut lease, &due).await;
        for order in std::mem::take(&mut lease.altered) {
            self.quarantine.put_altered(&order).await;
        }
        match (leased, due.as_slice()) {
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
        cursor: &mut DueCursor,
        max_orders: usize,
    ) -> anyhow::Result<Vec<OrderRef>> {
        let mut conn = self.pool.get_conn().await?;
        let page = DuePage {
            now_us: now_us(),
            cursor,
            quarantined: &self.quarantine.ids(),
            max_orders,
        };
        let states = queries.urgency.states();
        let due = repo::due_of(&mut conn, &queries.channel, states, page).await?;
        cursor.pass(&due, max_orders);
        Ok(due.into_iter().map(|due| due.at).collect())
    }
}

/// Lease of one page of a channel.
struct LeaseTransaction<'a> {
    recovery: &'a OrderRecovery,
    queries: &'a ChannelQueries,
    /// Orders that somebody changed beside the core: nobody is asked about them.
    altered: Vec<AlteredOrder>,
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
        self.altered
            .extend(self.recovery.seals.take_altered(&mut orders));
        let now = now_us();
        let states = self.queries.urgency.states();
        orders.retain(|o| states.contains(&o.state) && is_due(o, now));
        if orders.is_empty() {
            transaction.roll_back().await?;
            return Ok(orders);
        }
        for order in &mut orders {
            order.queries = (order.queries + 1).min(MAX_COUNTED_QUERIES);
            order.version += 1;
            order.updated_us = now;
            // Claimed by a version that did not write them, and may be about to send for all
            // that is known: both count from now.
            if order.last_send_by_us().is_none() {
                order.set_send_by(now);
            }
            order.last_pending_us.get_or_insert(now);
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

fn is_due(order: &Order, now_us: i64) -> bool {
    let is_never = order.state == OrderState::Manual && order.due_us == Some(repo::NEVER_DUE_US);
    is_never || order.due_us.is_some_and(|due| due <= now_us)
}
