//! Step 4, with the orders again: they learn what became of their bookings, and the
//! intents are deleted.

use super::{Done, Intent, Saga, repo};
use crate::accept::decide::{accepted_event, incoming_event};
use crate::history::Move;
use crate::journal::Journal;
use crate::ledger::PostingKind;
use crate::metrics::METRICS;
use crate::orders::state::{Event, Step, step};
use crate::orders::{Order, OrderRef, repo as orders};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::event::OrderEvent;
use sluice_contract::order::State;
use std::collections::BTreeSet;

/// What an order's booking moved.
#[derive(Default)]
struct Moved {
    orders: Vec<Order>,
    moves: Vec<Move>,
    events: Vec<OrderEvent>,
}

impl Saga {
    /// Moves the orders whose reservations are decided, tells of money that came in,
    /// frees the keys of refused requests, and deletes the intents. What another
    /// driver has closed is left alone.
    ///
    /// # Errors
    /// The server's; the call may be repeated.
    pub async fn close(&self, intents: &[Intent], done: &[Option<Done>]) -> anyhow::Result<()> {
        let closed: Vec<(&Intent, Done)> = intents
            .iter()
            .zip(done)
            .filter_map(|(intent, done)| Some((intent, (*done)?)))
            .collect();
        if closed.is_empty() {
            return Ok(());
        }
        let mut conn = self.orders.get_conn().await?;
        if closed.iter().all(|(intent, _)| !intent.is_asking()) {
            // Their orders have moved already.
            let all: Vec<&Intent> = closed.iter().map(|(intent, _)| *intent).collect();
            return Ok(conn.query_drop(repo::delete_sql(&all)).await?);
        }
        let moved = self.close_asking(&mut conn, closed).await?;
        for order in &moved {
            tracing::info!(order = %order.order_id, account = %order.account_id, amount = %order.amount,
                currency = %order.currency, state = order.state.as_str(), "booked elsewhere");
            METRICS
                .orders
                .with_label_values(&[order.state.as_str()])
                .inc();
            if order.state == State::Init {
                self.ready.push(order.at());
            }
        }
        Ok(())
    }

    async fn close_asking(
        &self,
        conn: &mut Conn,
        closed: Vec<(&Intent, Done)>,
    ) -> anyhow::Result<Vec<Order>> {
        conn.query_drop("START TRANSACTION").await?;
        let reserves = || {
            closed
                .iter()
                .filter(|(i, _)| i.posting.kind == PostingKind::Reserve)
        };
        let at: Vec<OrderRef> = reserves()
            .map(|(i, _)| OrderRef::new(&i.posting.account_id, &i.order_id))
            .collect();
        let locked = if at.is_empty() {
            Vec::new()
        } else {
            orders::lock(conn, at.iter()).await?
        };
        let all: Vec<&Intent> = closed.iter().map(|(intent, _)| *intent).collect();
        let open = repo::lock(conn, &all).await?;
        let closed: Vec<(&Intent, Done)> = closed
            .into_iter()
            .filter(|(i, _)| {
                open.contains(&(i.posting.account_id.clone(), i.posting.posting_id.clone()))
            })
            .collect();
        if closed.is_empty() {
            conn.query_drop("ROLLBACK").await?;
            return Ok(Vec::new());
        }
        let now = now_us();
        let moved = learn(&closed, locked, now);
        let refused = closed
            .iter()
            .filter(|(i, done)| i.is_asking() && *done != Done::Booked);
        let journal = Journal {
            moved_orders: moved.orders.iter().collect(),
            moves: moved.moves,
            events: moved.events,
            closed: closed.iter().map(|(intent, _)| *intent).collect(),
            freed_keys: refused
                .map(|(i, _)| (i.client.as_str(), i.key.as_str(), i.order_id.as_str()))
                .collect(),
            ..Journal::default()
        };
        conn.query_drop(journal.commit_sql(&self.schemas, &self.key, now)?)
            .await?;
        Ok(moved.orders)
    }
}

fn learn(closed: &[(&Intent, Done)], mut locked: Vec<Order>, now_us: i64) -> Moved {
    let mut moved = Moved::default();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (intent, done) in closed {
        let kind = intent.posting.kind;
        if *done == Done::Booked && matches!(kind, PostingKind::Deposit | PostingKind::Capture) {
            moved
                .events
                .push(incoming_event(&intent.posting, &intent.order_id, now_us));
        }
        if kind != PostingKind::Reserve || !seen.insert(&intent.order_id) {
            continue;
        }
        let Some(order) = locked.iter_mut().find(|o| o.order_id == intent.order_id) else {
            continue;
        };
        let event = if *done == Done::Booked {
            Event::Booked
        } else {
            Event::Unfunded
        };
        let from = order.state;
        // Anything but a move was learned before.
        let Step::Move(to, _) = step(from, event) else {
            continue;
        };
        order.state = to;
        order.version += 1;
        order.updated_us = now_us;
        order.due_us = (to == State::Init).then_some(now_us + crate::accept::decide::FIRST_LOOK_US);
        if let Done::Refused(error) = done {
            order.result_code = Some(error.as_str().to_owned());
        }
        moved.moves.push(Move::of(order, from, event.as_str()));
        if to == State::Init {
            moved.events.push(accepted_event(order, now_us));
        }
        moved.orders.push(order.clone());
    }
    moved
}
