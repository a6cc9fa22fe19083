//! The claim: the transaction that allows a send. It locks the orders, reads the
//! breakers, fixes channel and trade time, opens the attempt, and signs all that.

use super::{AFTER_ERROR, Dispatcher, Round, Sender, Slot};
use crate::channels::{Client, INTERNAL};
use crate::guard::breakers;
use crate::history::Move;
use crate::journal::Journal;
use crate::metrics::METRICS;
use crate::orders::repo::{self, Attempt};
use crate::orders::state::{Event, Step, step};
use crate::orders::{Order, OrderRef};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::order::{Kind, State};
use sluice_contract::sql;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::mpsc;

/// How long after a call's deadline an order without an outcome is looked at.
const MARGIN_US: i64 = 2_000_000;
/// An order whose account is held by an open pair is tried again after this.
const HELD_WAIT: std::time::Duration = std::time::Duration::from_millis(20);

pub(super) async fn run(this: Arc<Dispatcher>, mut rounds: mpsc::Receiver<Round>) {
    let sender = Sender { channels: this.channels.clone(), outcomes: this.outcomes.clone() };
    let mut conn: Option<Conn> = None;
    while let Some(round) = rounds.recv().await {
        let holds = this.fence.wait(round.token).await;
        this.observe(&round);
        let tried = tokio::time::timeout(sql::PATIENCE, claim(&this, &mut conn, &round.orders, &holds)).await;
        let claimed = match tried.map_err(anyhow::Error::from).flatten() {
            Ok(claimed) => claimed,
            Err(error) => {
                // Whether the commit took place is unknown: claimed orders come up
                // in recovery, which asks the channel first; the others by polling.
                tracing::warn!("claim failed: {error:#}");
                conn = None;
                tokio::time::sleep(AFTER_ERROR).await;
                continue;
            }
        };
        for (order, slot) in claimed {
            sender.send(order, slot);
        }
    }
}

/// Orders that are ours to send, each with its call slot if it needs one.
type Claimed = Vec<(Order, Option<Slot>)>;

async fn claim(
    this: &Dispatcher,
    slot: &mut Option<Conn>,
    ids: &[OrderRef],
    holds: &HashSet<String>,
) -> anyhow::Result<Claimed> {
    for attempt in 0u64.. {
        if slot.is_none() {
            *slot = Some(this.pool.get_conn().await?);
        }
        let Some(conn) = slot.as_mut() else { continue };
        match claim_once(this, conn, ids, holds).await {
            Err(error) if attempt < 5 && error.downcast_ref().is_some_and(sql::is_retryable) => {
                conn.query_drop("ROLLBACK").await?;
                tokio::time::sleep(std::time::Duration::from_millis(2 << attempt)).await;
            }
            other => return other,
        }
    }
    unreachable!("the loop returns")
}

async fn claim_once(
    this: &Dispatcher,
    conn: &mut Conn,
    ids: &[OrderRef],
    holds: &HashSet<String>,
) -> anyhow::Result<Claimed> {
    conn.query_drop("START TRANSACTION").await?;
    let orders = repo::lock(conn, ids.iter()).await?;
    let live = again_live(conn, &orders).await?;
    // Read last, so that a breaker that opened a moment ago still counts.
    let tripped = breakers::read(conn, &this.schemas).await?;
    let now = now_us();
    let mut held: HashMap<&'static str, i64> = HashMap::from([("breaker", 0), ("pair", 0), ("channel", 0)]);
    let mut claimed: Claimed = Vec::with_capacity(orders.len());
    for mut order in orders {
        let Step::Move(to, _) = step(order.state, Event::Claim) else { continue };
        let via = if order.kind == Kind::Settlement { Via::Books } else { choose(&this.channels, &order) };
        if order.attempts > 0 && !live.contains(&order.order_id) {
            tracing::error!(order = %order.order_id, "waits to be sent although its attempt has ended: not sent");
            continue;
        }
        if let Some((breaker, reason)) = tripped.stops(&order, via.id()) {
            tracing::debug!(order = %order.order_id, %breaker, reason, "waits for a breaker");
            *held.entry("breaker").or_default() += 1;
            continue;
        }
        if holds.contains(&order.account_id) {
            *held.entry("pair").or_default() += 1;
            requeue(this, order.at());
            continue;
        }
        let Ok(slot) = via.slot(&order) else {
            *held.entry("channel").or_default() += 1;
            continue;
        };
        take(&mut order, to, &via, now)?;
        claimed.push((order, slot));
    }
    for (by, count) in held {
        METRICS.blocked.with_label_values(&[by]).set(count);
    }
    if claimed.is_empty() {
        conn.query_drop("ROLLBACK").await?;
        return Ok(claimed);
    }
    let journal = Journal {
        moved_orders: claimed.iter().map(|(o, _)| o).collect(),
        moves: claimed.iter().map(|(o, _)| Move::of(o, State::Init, Event::Claim.as_str())).collect(),
        new_attempts: claimed.iter().filter(|(o, _)| !live.contains(&o.order_id)).map(|(o, _)| sent(o)).collect(),
        ..Journal::default()
    };
    conn.query_drop(journal.commit_sql(&this.schemas, &this.key, now)?).await?;
    METRICS.claimed.inc_by(claimed.len() as u64);
    METRICS.orders.with_label_values(&["dispatching"]).inc_by(claimed.len() as u64);
    Ok(claimed)
}

fn sent(order: &Order) -> Attempt<'_> {
    Attempt { order, state: "sent", live: true }
}

/// Orders that were claimed before and whose attempt may still pay: they are sent
/// again under the same attempt.
async fn again_live(conn: &mut Conn, orders: &[Order]) -> anyhow::Result<HashSet<String>> {
    let again = || orders.iter().filter(|o| o.attempts > 0);
    if again().next().is_none() {
        return Ok(HashSet::new());
    }
    repo::live_attempts(conn, again()).await
}

/// Through what an order's money moves.
enum Via<'a> {
    Channel(&'a Client),
    /// Within the books: a settlement.
    Books,
    /// The channel it was sent through is not configured any more.
    Gone(String),
}

impl Via<'_> {
    fn id(&self) -> &str {
        match self {
            Via::Channel(channel) => channel.id(),
            Via::Books => INTERNAL,
            Via::Gone(id) => id,
        }
    }

    /// A free call slot; `None` where no call is made. An error: not now. The order
    /// then waits for the channel's next free slot, or for a poll.
    fn slot(&self, order: &Order) -> Result<Option<Slot>, ()> {
        match self {
            Via::Channel(channel) => channel.slots.take(&order.at()).map(Some).ok_or(()),
            Via::Books => Ok(None),
            Via::Gone(id) => {
                tracing::error!(channel = id, "an order's channel is not configured any more: it waits");
                Err(())
            }
        }
    }
}

/// The channel fixed earlier or wished for, else the first configured.
fn choose<'a>(channels: &'a [Client], order: &Order) -> Via<'a> {
    let found = match &order.channel {
        Some(id) => channels.iter().find(|c| c.id() == id).ok_or(id.clone()),
        None => channels.first().ok_or("-".to_owned()),
    };
    found.map_or_else(Via::Gone, Via::Channel)
}

/// Fixes channel and trade time, and moves the order to where it is ours to send.
fn take(order: &mut Order, to: State, via: &Via<'_>, now: i64) -> anyhow::Result<()> {
    let mut deadline_us = 0;
    if let Via::Channel(channel) = via {
        deadline_us = channel.deadline.as_micros() as i64;
        if order.trade_time.is_none() {
            order.trade_time = Some(channel.trade_time(now)?);
        }
    }
    order.channel = Some(via.id().to_owned());
    order.state = to;
    order.attempts = order.attempts.max(1);
    order.version += 1;
    order.updated_us = now;
    order.due_us = Some(now + deadline_us + MARGIN_US);
    Ok(())
}

fn requeue(this: &Dispatcher, order: OrderRef) {
    let ready = this.ready.clone();
    tokio::spawn(async move {
        tokio::time::sleep(HELD_WAIT).await;
        ready.push(order);
    });
}
