//! Step 4, with the orders again: each learns its booking's result, and the intents are
//! deleted.

use crate::batch::LockWait;
use crate::cases::{CaseClosing, OrderCase};
use crate::intents::{BookingIntent, BookingResult, repo};
use crate::ledger::PostingKind;
use crate::ledger::events::incoming_event;
use crate::metrics::METRICS;
use crate::orders::events::accepted_event;
use crate::orders::history::OrderTransition;
use crate::orders::names::names_of_order;
use crate::orders::repo::FreedKey;
use crate::orders::repo::push_deletions;
use crate::orders::state::{OrderEffect, OrderInput, StateDecision, step};
use crate::orders::{AlteredOrder, Order, OrderRef, OrderSeals, repo as orders};
use crate::saga::BookingSaga;
use crate::transaction::Transaction;
use crate::unit_of_work::UnitOfWork;
use sluice_contract::clock::now_us;
use sluice_contract::event::OrderEvent;
use sluice_contract::order::OrderState;
use sluice_contract::provenance::SignedDeletions;
use sluice_contract::sql::Conn;
use std::collections::BTreeSet;

/// Changes of the orders whose bookings are known.
#[derive(Default)]
struct OrderStepChanges {
    orders: Vec<Order>,
    moves: Vec<OrderTransition>,
    events: Vec<OrderEvent>,
    closings: Vec<CaseClosing>,
}

impl BookingSaga {
    /// Moves the orders whose reservations are decided, tells of money that came in,
    /// frees the keys of refused requests, and deletes the intents. What another
    /// driver has closed is left alone.
    ///
    /// # Errors
    /// The server's; the call may be repeated.
    pub async fn close(
        &self,
        intents: &[BookingIntent],
        done: &[Option<BookingResult>],
    ) -> anyhow::Result<()> {
        let closed: Vec<(&BookingIntent, BookingResult)> = intents
            .iter()
            .zip(done)
            .filter_map(|(intent, done)| Some((intent, (*done)?)))
            .collect();
        if closed.is_empty() {
            return Ok(());
        }
        let mut conn = self.orders.get_conn().await?;
        if closed.iter().all(|(intent, _)| !intent.is_refusable()) {
            // Their orders have moved already.
            let all: Vec<&BookingIntent> = closed.iter().map(|(intent, _)| *intent).collect();
            let mut writes = String::new();
            let mut deletions = SignedDeletions::default();
            for intent in &all {
                let (account, posting) = intent.id();
                deletions.add("booking_intent", &[account, posting]);
            }
            push_deletions(&mut writes, &deletions, self.key(), now_us());
            writes.push_str(&repo::delete_sql(&all));
            writes.push(';');
            return Transaction::deferred(&mut conn).commit(writes).await;
        }
        let moved = self.close_refusable(&mut conn, closed).await?;
        for order in &moved {
            tracing::info!(order = %order.order_id, account = %order.account_id, amount = %order.amount,
                currency = %order.currency, state = order.state.as_str(), "booked elsewhere");
            METRICS
                .orders
                .with_label_values(&[order.state.as_str()])
                .inc();
            if order.state == OrderState::Init {
                self.ready.push(order.at());
            }
        }
        Ok(())
    }

    async fn close_refusable(
        &self,
        conn: &mut Conn,
        closed: Vec<(&BookingIntent, BookingResult)>,
    ) -> anyhow::Result<Vec<Order>> {
        let mut transaction = Transaction::begin(conn).await?;
        let reserves = || {
            closed
                .iter()
                .filter(|(i, _)| i.posting.kind == PostingKind::Reserve)
        };
        let at: Vec<OrderRef> = reserves()
            .map(|(i, _)| OrderRef::new(&i.posting.account_id, &i.order_id))
            .collect();
        let mut locked = if at.is_empty() {
            Vec::new()
        } else {
            orders::lock(transaction.conn(), at.iter(), LockWait::Usual).await?
        };
        let all: Vec<&BookingIntent> = closed.iter().map(|(intent, _)| *intent).collect();
        let open = repo::lock(transaction.conn(), &all).await?;
        let mut closed: Vec<(&BookingIntent, BookingResult)> = closed
            .into_iter()
            .filter(|(i, _)| {
                open.contains(&(i.posting.account_id.clone(), i.posting.posting_id.clone()))
            })
            .collect();
        let cases = take_altered(&self.seals, &mut locked, &mut closed);
        if closed.is_empty() && cases.is_empty() {
            transaction.roll_back().await?;
            return Ok(Vec::new());
        }
        let now = now_us();
        let moved = learn(&closed, locked, now);
        let refused: Vec<&BookingIntent> = closed
            .iter()
            .filter(|(i, done)| i.is_refusable() && *done != BookingResult::Booked)
            .map(|(i, _)| *i)
            .collect();
        let unit_of_work = UnitOfWork {
            moved_orders: moved.orders.iter().collect(),
            moves: moved.moves,
            events: moved.events,
            closings: moved.closings,
            closed: closed.iter().map(|(intent, _)| *intent).collect(),
            freed_keys: freed_keys(&refused, &moved.orders),
            cases,
            ..UnitOfWork::default()
        };
        unit_of_work
            .commit(transaction, &self.schemas, self.key(), now)
            .await?;
        Ok(moved.orders)
    }
}

/// Takes out the orders that somebody changed beside the core, with the bookings that they
/// wait for: nothing is written for them, so that no seal or signature of ours covers what
/// was put there. Their intents stay open, and go on once a person has mended the row.
fn take_altered(
    seals: &OrderSeals,
    locked: &mut Vec<Order>,
    closed: &mut Vec<(&BookingIntent, BookingResult)>,
) -> Vec<OrderCase> {
    let altered = seals.take_altered(locked);
    closed.retain(|(intent, _)| {
        let is_its = |o: &&AlteredOrder| o.at.order_id == intent.order_id;
        altered.iter().find(is_its).is_none()
    });
    altered.iter().map(AlteredOrder::to_case).collect()
}

/// Names of requests that were refused: each intent's key, and what else its order was
/// named.
fn freed_keys<'a>(refused: &[&'a BookingIntent], moved: &'a [Order]) -> Vec<FreedKey<'a>> {
    let mut freed = Vec::new();
    for intent in refused {
        let order = moved.iter().find(|o| o.order_id == intent.order_id);
        let names = order.map(names_of_order).unwrap_or_default();
        let all = std::iter::once(intent.key.clone()).chain(names);
        freed.extend(all.map(|key| FreedKey {
            client: &intent.client,
            key,
            order_id: &intent.order_id,
        }));
    }
    freed
}

fn learn(
    closed: &[(&BookingIntent, BookingResult)],
    mut locked: Vec<Order>,
    now_us: i64,
) -> OrderStepChanges {
    let mut moved = OrderStepChanges::default();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (intent, done) in closed {
        let kind = intent.posting.kind;
        if *done == BookingResult::Booked && kind.is_incoming() {
            moved.events.push(OrderEvent {
                correlation_id: intent.correlation_id.clone(),
                traceparent: intent.traceparent.clone(),
                ..incoming_event(&intent.posting, &intent.order_id, now_us)
            });
        }
        if kind != PostingKind::Reserve || !seen.insert(&intent.order_id) {
            continue;
        }
        let Some(order) = locked.iter_mut().find(|o| o.order_id == intent.order_id) else {
            continue;
        };
        let event = if *done == BookingResult::Booked {
            OrderInput::Booked
        } else {
            OrderInput::Unfunded
        };
        let from = order.state;
        let (to, effects) = match step(from, event) {
            StateDecision::Move(to, effects) => (to, effects),
            // Learned before.
            StateDecision::Stay(_)
            | StateDecision::After(_)
            | StateDecision::Already
            | StateDecision::Contradiction(_)
            | StateDecision::Refused => continue,
        };
        order.state = to;
        order.version += 1;
        order.updated_us = now_us;
        order.due_us =
            (to == OrderState::Init).then_some(now_us + crate::orders::FIRST_POLL_DELAY_US);
        if let BookingResult::Refused(error) = done {
            // Its request may be made again.
            order.identity = None;
            order.result_code = Some(error.as_str().to_owned());
        }
        moved
            .moves
            .push(OrderTransition::of(order, from, event.as_str()));
        for effect in effects {
            moved.perform(*effect, order, now_us);
        }
        moved.orders.push(order.clone());
    }
    moved
}

impl OrderStepChanges {
    fn perform(&mut self, effect: OrderEffect, order: &mut Order, now_us: i64) {
        match effect {
            OrderEffect::Publish => {
                // A repeat tells of this version, under the same id.
                (order.notified_version, order.notified_us) = (order.version, now_us);
                self.events.push(accepted_event(order, now_us));
            }
            OrderEffect::CloseCase if order.has_open_case => {
                order.has_open_case = false;
                self.closings.push(CaseClosing {
                    account_id: order.account_id.clone(),
                    order_id: order.order_id.clone(),
                    by: "core",
                });
            }
            // No other comes with a booking's result.
            OrderEffect::CloseCase
            | OrderEffect::Finalize
            | OrderEffect::Release
            | OrderEffect::GiveBack
            | OrderEffect::CloseAttempt
            | OrderEffect::FreeLimits
            | OrderEffect::OpenCase
            | OrderEffect::NotePending
            | OrderEffect::NoteRefusal
            | OrderEffect::PublishAgain => {}
        }
    }
}

#[cfg(test)]
#[path = "order_step_tests.rs"]
mod tests;
