//! The claim: the transaction that allows a send. It locks the orders and the
//! cumulative totals, reads the breakers, fixes channel and trade time, opens the
//! attempt, and signs all that.

use crate::dispatch::route::{self, ClaimInputs, RouteChoice, SendPath, UnroutableOrder};
use crate::dispatch::{CallPermit, Dispatcher, RETRY_DELAY, Sender, TokenRound};
use crate::metrics::METRICS;
use crate::orders::history::{OrderTransition, UNROUTED_EVENT};
use crate::orders::repo::{self, Attempt};
use crate::orders::state::{OrderInput, StateDecision, step};
use crate::orders::{Order, OrderRef};
use crate::routing::totals;
use crate::unit_of_work::UnitOfWork;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::order::OrderState;
use sluice_contract::sql;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::mpsc;

/// How long after a call's deadline an order without an outcome is looked at.
const OUTCOME_MARGIN_US: i64 = 2_000_000;
/// An order whose account is held by an open pair is tried again after this.
const HOLD_RETRY_DELAY: std::time::Duration = std::time::Duration::from_millis(20);
/// What may hold an order back.
const HOLD_REASONS: [&str; 4] = ["breaker", "pair", "route", "channel"];

pub(super) async fn run(this: Arc<Dispatcher>, mut rounds: mpsc::Receiver<TokenRound>) {
    let sender = Sender {
        channels: this.channels.clone(),
        outcomes: this.outcomes.clone(),
    };
    let mut conn: Option<Conn> = None;
    while let Some(round) = rounds.recv().await {
        let holds = this.fence.wait(round.token).await;
        this.observe(&round);
        let tried = tokio::time::timeout(
            sql::TRANSACTION_TIMEOUT,
            claim(&this, &mut conn, &round.orders, &holds),
        )
        .await;
        let claimed = match tried.map_err(anyhow::Error::from).flatten() {
            Ok(claimed) => claimed,
            Err(error) => {
                // Whether the commit took place is unknown: claimed orders come up
                // in recovery, which asks the channel first; the others by polling.
                tracing::warn!("claim failed: {error:#}");
                conn = None;
                this.suspects.failed(round.orders, &error).await;
                tokio::time::sleep(RETRY_DELAY).await;
                continue;
            }
        };
        for (order, permit) in claimed {
            sender.send(order, permit);
        }
    }
}

/// Orders that are ours to send, each with its call permit if it needs one.
type ClaimedOrders = Vec<(Order, Option<CallPermit>)>;

pub(super) async fn claim(
    this: &Dispatcher,
    conn_slot: &mut Option<Conn>,
    ids: &[OrderRef],
    holds: &HashSet<String>,
) -> anyhow::Result<ClaimedOrders> {
    for attempt in 0u64.. {
        if conn_slot.is_none() {
            *conn_slot = Some(this.pool.get_conn().await?);
        }
        let Some(conn) = conn_slot.as_mut() else {
            continue;
        };
        match claim_once(this, conn, ids, holds).await {
            Err(error) if attempt < 5 && error.downcast_ref().is_some_and(is_claim_retryable) => {
                conn.query_drop("ROLLBACK").await?;
                tokio::time::sleep(std::time::Duration::from_millis(2 << attempt)).await;
            }
            other => return other,
        }
    }
    unreachable!("the loop returns")
}

/// A total's first row of the day may have been made by another instance meanwhile.
fn is_claim_retryable(error: &mysql_async::Error) -> bool {
    sql::is_retryable(error) || sql::is_duplicate(error)
}

/// What one claim makes of its orders.
#[derive(Default)]
struct ClaimResult {
    claimed: ClaimedOrders,
    /// No channel takes them now, for a reason that is new.
    unrouted: Vec<Order>,
    /// No channel will ever take them.
    failing: Vec<UnroutableOrder>,
    held: HashMap<&'static str, i64>,
}

async fn claim_once(
    this: &Dispatcher,
    conn: &mut Conn,
    ids: &[OrderRef],
    holds: &HashSet<String>,
) -> anyhow::Result<ClaimedOrders> {
    conn.query_drop("START TRANSACTION").await?;
    let orders = repo::lock(conn, ids.iter()).await?;
    let live = live_resends(conn, &orders).await?;
    let now = now_us();
    let mut inputs = route::inputs(this, conn, &orders, now).await?;
    let mut sorted = ClaimResult::default();
    for order in orders {
        if order.was_sent() && order.state == OrderState::Init && !live.contains(&order.order_id) {
            tracing::error!(order = %order.order_id, "waits to be sent although its attempt has ended: not sent");
            continue;
        }
        decide_claim(this, &mut inputs, order, holds, now, &mut sorted)?;
    }
    for by in HOLD_REASONS {
        METRICS
            .blocked
            .with_label_values(&[by])
            .set(sorted.held.get(by).copied().unwrap_or(0));
    }
    let ClaimResult {
        claimed,
        unrouted,
        failing,
        ..
    } = sorted;
    if claimed.is_empty() && unrouted.is_empty() {
        conn.query_drop("ROLLBACK").await?;
    } else {
        let unit_of_work = UnitOfWork {
            moved_orders: claimed.iter().map(|(o, _)| o).chain(&unrouted).collect(),
            moves: moves(&claimed, &unrouted),
            new_attempts: claimed
                .iter()
                .filter(|(o, _)| !live.contains(&o.order_id))
                .map(|(o, _)| sent(o))
                .collect(),
            totals: inputs.totals.touched(),
            ..UnitOfWork::default()
        };
        conn.query_drop(unit_of_work.commit_sql(&this.schemas, &this.key, now)?)
            .await?;
        METRICS.claimed.inc_by(claimed.len() as u64);
        METRICS
            .orders
            .with_label_values(&["dispatching"])
            .inc_by(claimed.len() as u64);
    }
    route::fail_unroutable(this, failing);
    Ok(claimed)
}

/// Decides about one order: ours to send, held back, or without a route.
fn decide_claim(
    this: &Dispatcher,
    inputs: &mut ClaimInputs,
    mut order: Order,
    holds: &HashSet<String>,
    now: i64,
    sorted: &mut ClaimResult,
) -> anyhow::Result<()> {
    let StateDecision::Move(to, _) = step(order.state, OrderInput::Claim) else {
        return Ok(());
    };
    let mut hold = |by: &'static str| *sorted.held.entry(by).or_default() += 1;
    if let Some((breaker, reason)) = inputs.tripped.stops_anywhere(&order) {
        tracing::debug!(order = %order.order_id, %breaker, reason, "waits for a breaker");
        hold("breaker");
        return Ok(());
    }
    if holds.contains(&order.account_id) {
        hold("pair");
        requeue(this, order.at());
        return Ok(());
    }
    let (via, route) = match inputs.find(&this.channels, &order)? {
        RouteChoice::Via(via, route) => (via, route),
        RouteChoice::NoRoute(decision) => {
            hold("route");
            if decision.fails {
                sorted.failing.push(UnroutableOrder {
                    at: order.at(),
                    declined: order.attempts > 0,
                });
            }
            if route::record_rejections(&mut order, &decision.route, now)? {
                sorted.unrouted.push(order);
            }
            return Ok(());
        }
    };
    // Chosen channels have none: this is for what is sent again, and settlements.
    if let Some((breaker, reason)) = inputs.tripped.stops_channel(order.kind.point(), via.id()) {
        tracing::debug!(order = %order.order_id, %breaker, reason, "waits for a breaker");
        hold("breaker");
        return Ok(());
    }
    let Ok(permit) = via.permit(&order) else {
        hold("channel");
        return Ok(());
    };
    take(&mut order, to, &via, now)?;
    if let Some(route) = route {
        let keys = totals::keys(
            &order,
            via.id(),
            order.trade_time.as_deref().unwrap_or_default(),
        );
        inputs.totals.take(&keys, order.amount)?;
        route::count(&route);
        order.route = Some(serde_json::to_string(&route)?);
    }
    sorted.claimed.push((order, permit));
    Ok(())
}

fn moves(claimed: &ClaimedOrders, unrouted: &[Order]) -> Vec<OrderTransition> {
    let claimed = claimed
        .iter()
        .map(|(o, _)| OrderTransition::of(o, OrderState::Init, OrderInput::Claim.as_str()));
    claimed
        .chain(
            unrouted
                .iter()
                .map(|o| OrderTransition::of(o, o.state, UNROUTED_EVENT)),
        )
        .collect()
}

fn sent(order: &Order) -> Attempt<'_> {
    Attempt {
        order,
        channel: order.channel.as_deref().unwrap_or_default(),
        state: "sent",
        live: true,
    }
}

/// Orders that are out and whose attempt may still pay: they are sent again under the
/// same attempt.
async fn live_resends(conn: &mut Conn, orders: &[Order]) -> anyhow::Result<HashSet<String>> {
    let again = || orders.iter().filter(|o| o.was_sent());
    if again().next().is_none() {
        return Ok(HashSet::new());
    }
    repo::live_attempts(conn, again()).await
}

/// Fixes channel and trade time, and moves the order to where it is ours to send.
fn take(order: &mut Order, to: OrderState, via: &SendPath<'_>, now: i64) -> anyhow::Result<()> {
    if !order.was_sent() {
        order.attempts += 1;
    }
    let mut deadline_us = 0;
    if let SendPath::Channel(channel) = via {
        deadline_us = channel.deadline.as_micros() as i64;
        if order.trade_time.is_none() {
            order.trade_time = Some(channel.trade_time(now)?);
        }
    }
    order.channel = Some(via.id().to_owned());
    order.state = to;
    order.sends += 1;
    order.version += 1;
    order.updated_us = now;
    order.due_us = Some(now + deadline_us + OUTCOME_MARGIN_US);
    Ok(())
}

fn requeue(this: &Dispatcher, order: OrderRef) {
    let ready = this.ready.clone();
    tokio::spawn(async move {
        tokio::time::sleep(HOLD_RETRY_DELAY).await;
        ready.push(order);
    });
}
