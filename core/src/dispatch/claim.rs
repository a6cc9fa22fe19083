//! The claim: the transaction that allows a send.
//!
//! | phase | statement | round trips |
//! |---|---|---|
//! | begin | `START TRANSACTION` | 1 |
//! | lock orders | `SELECT … FOR UPDATE` by account and id | 1 |
//! | attempts of what is sent again | `SELECT` of live attempts | 0 or 1 |
//! | routing in force | `SELECT` of its number | 1 |
//! | lock totals | `SELECT … FOR UPDATE` in key order | 0 or 1 |
//! | read breakers, last | `SELECT` of those that aren't closed | 1 |
//! | decide | `gates`, in memory | 0 |
//! | write and commit | one signed batch of statements | 1 |

use crate::batch::{
    self, BatchFailure, BatchTransaction, FailureClass, FollowUp, RetryPolicy, SpoiledItem,
};
use crate::channels::permits::CallPermit;
use crate::dispatch::claim_inputs::{ClaimInputs, read_inputs};
use crate::dispatch::gates::{self, ClaimDecision, ClaimGrant, HoldReason};
use crate::dispatch::send::Sender;
use crate::dispatch::send_path::SendPath;
use crate::dispatch::token_rounds::TokenRound;
use crate::dispatch::unrouted::{
    UnroutableOrder, count_rejections, fail_unroutable, record_rejections,
};
use crate::dispatch::{Dispatcher, RETRY_DELAY};
use crate::metrics::METRICS;
use crate::orders::history::{OrderTransition, UNROUTED_EVENT};
use crate::orders::repo::{self, Attempt};
use crate::orders::state::OrderInput;
use crate::orders::{Order, OrderRef};
use crate::routing::totals::{self, LimitTotal};
use crate::transaction::{Transaction, roll_back};
use crate::unit_of_work::UnitOfWork;
use mysql_async::Conn;
use sluice_contract::clock::now_us;
use sluice_contract::order::OrderState;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long after a call's deadline an order without an outcome is looked at.
const OUTCOME_MARGIN_US: i64 = 2_000_000;
/// An order whose account is held by an open pair is tried again after this.
const HOLD_RETRY_DELAY: std::time::Duration = std::time::Duration::from_millis(20);

/// Claims round after round, each once its token has passed. Ends at the stop, between
/// two claims.
pub(super) async fn run(
    this: Arc<Dispatcher>,
    mut rounds: mpsc::Receiver<TokenRound>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let sender = Sender {
        channels: this.channels.clone(),
        outcomes: this.outcomes.clone(),
        parts: this.parts.clone(),
    };
    let mut conn: Option<Conn> = None;
    let mut next = async || {
        let round = rounds.recv().await?;
        let holds = this.fence.wait(round.token).await;
        round.observe();
        Some((round, holds))
    };
    while let Some(Some((round, holds))) = stop.run_until_cancelled(next()).await {
        claim_round(&this, &sender, &mut conn, round, &holds).await;
    }
    Ok(())
}

async fn claim_round(
    this: &Dispatcher,
    sender: &Sender,
    conn: &mut Option<Conn>,
    round: TokenRound,
    holds: &HashSet<String>,
) {
    match claim(this, conn, &round.orders, holds).await {
        Ok(claimed) => {
            for ClaimedOrder { order, permit } in claimed {
                sender.send(order, permit);
            }
        }
        Err(failure) => {
            // Whether the commit took place is unknown: claimed orders come up
            // in recovery, which asks the channel first; the others by polling.
            tracing::warn!("claim failed: {:#}", failure.error);
            *conn = None;
            this.suspects.failed(round.orders, &failure).await;
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }
}

/// Claims the orders on `conn`, which is made if there is none; returns those that are
/// ours to send.
///
/// # Errors
/// One order's own fault, or tries that ran out. The connection is in doubt then.
pub(super) async fn claim(
    this: &Dispatcher,
    conn: &mut Option<Conn>,
    ids: &[OrderRef],
    holds: &HashSet<String>,
) -> Result<Vec<ClaimedOrder>, BatchFailure> {
    let mut transaction = ClaimTransaction { this, conn, holds };
    // An order that spoils its round is found in rounds of one, each under a token of
    // its own: `isolate`.
    batch::retry(&mut transaction, ids).await
}

/// An order that is ours to send, with its call permit if it needs one.
pub(super) struct ClaimedOrder {
    pub order: Order,
    pub permit: Option<CallPermit>,
}

/// One round's transaction, and what it needs.
struct ClaimTransaction<'a> {
    this: &'a Dispatcher,
    conn: &'a mut Option<Conn>,
    holds: &'a HashSet<String>,
}

impl BatchTransaction for ClaimTransaction<'_> {
    type Item = OrderRef;
    type Done = ClaimedOrder;

    fn policy(&self) -> &'static RetryPolicy {
        &batch::policy::CLAIM
    }

    async fn attempt(&mut self, ids: &[OrderRef]) -> anyhow::Result<Vec<ClaimedOrder>> {
        let conn = match &mut *self.conn {
            Some(conn) => conn,
            none => none.insert(self.this.pool.get_conn().await?),
        };
        let mut transaction = Transaction::begin(conn).await?;
        let orders = repo::lock(transaction.conn(), ids.iter()).await?;
        let live = live_resends(transaction.conn(), &orders).await?;
        let now = now_us();
        let mut inputs = read_inputs(self.this, transaction.conn(), &orders, now).await?;
        let mut result = ClaimResult::default();
        for order in orders {
            if order.was_sent()
                && order.state == OrderState::Init
                && !live.contains(&order.order_id)
            {
                tracing::error!(order = %order.order_id, "waits to be sent although its attempt has ended: not sent");
                continue;
            }
            let decision = gates::decide(&inputs, &self.this.channels, &order, self.holds)?;
            settle(self.this, &mut inputs, order, decision, now, &mut result)?;
        }
        result.show_held();
        if result.claimed.is_empty() && result.unrouted.is_empty() {
            transaction.roll_back().await?;
        } else {
            let unit_of_work = unit_of_work(&result, &live, inputs.totals.touched());
            unit_of_work
                .commit(transaction, &self.this.schemas, &self.this.key, now)
                .await?;
            count_claimed(result.claimed.len());
        }
        fail_unroutable(self.this, result.failing);
        Ok(result.claimed)
    }

    /// Keeps the connection if the server rolled back; else drops it.
    async fn reset(&mut self, error: &anyhow::Error) {
        let keeps = match FailureClass::of(error) {
            FailureClass::Conflict | FailureClass::Duplicate => true,
            FailureClass::Disconnected | FailureClass::Refused | FailureClass::Internal => false,
        };
        let rolled_back = match &mut *self.conn {
            Some(conn) if keeps => roll_back(conn).await.is_ok(),
            Some(_) | None => false,
        };
        if !rolled_back {
            *self.conn = None;
        }
    }

    fn follow_up(&mut self, error: &anyhow::Error, attempt: u32) -> FollowUp {
        let pause = self.policy().after_conflict(attempt);
        match FailureClass::of(error) {
            FailureClass::Conflict => FollowUp::Retry(pause),
            // A total's first row of the day may have been made by another instance
            // meanwhile; if it is still a duplicate at last, an order is at fault.
            FailureClass::Duplicate if attempt + 1 < self.policy().max_attempts => {
                FollowUp::Retry(pause)
            }
            FailureClass::Disconnected => FollowUp::GiveUp,
            FailureClass::Duplicate | FailureClass::Refused | FailureClass::Internal => {
                FollowUp::Isolate
            }
        }
    }

    /// Quarantines an order that can't be claimed even alone.
    async fn spoiled(
        &mut self,
        order: &OrderRef,
        failure: BatchFailure,
    ) -> SpoiledItem<ClaimedOrder> {
        self.this.suspects.quarantine(order, &failure.error).await;
        SpoiledItem::Skip
    }
}

/// What one claim makes of its orders.
#[derive(Default)]
struct ClaimResult {
    claimed: Vec<ClaimedOrder>,
    /// No channel takes them now, for a reason that is new.
    unrouted: Vec<Order>,
    /// No channel will ever take them.
    failing: Vec<UnroutableOrder>,
    held: HashMap<HoldReason, i64>,
}

impl ClaimResult {
    fn hold(&mut self, by: HoldReason) {
        *self.held.entry(by).or_default() += 1;
    }

    fn show_held(&self) {
        for by in HoldReason::ALL {
            let held = self.held.get(&by).copied().unwrap_or(0);
            METRICS.blocked.with_label_values(&[by.as_str()]).set(held);
        }
    }

    fn claimed(&self) -> impl Iterator<Item = &Order> {
        self.claimed.iter().map(|c| &c.order)
    }
}

/// Does to one order what was decided.
fn settle(
    this: &Dispatcher,
    inputs: &mut ClaimInputs,
    mut order: Order,
    decision: ClaimDecision<'_>,
    now: i64,
    result: &mut ClaimResult,
) -> anyhow::Result<()> {
    match decision {
        ClaimDecision::Skip => {}
        ClaimDecision::Hold(by) => {
            result.hold(by);
            match by {
                HoldReason::Pair => requeue(this, order.at()),
                // Polling, a change of the routing or a free permit brings it back.
                HoldReason::Breaker | HoldReason::Route | HoldReason::Channel => {}
            }
        }
        ClaimDecision::NoRoute(decision) => {
            result.hold(HoldReason::Route);
            if decision.fails {
                result.failing.push(UnroutableOrder {
                    at: order.at(),
                    declined: order.attempts > 0,
                });
            }
            if record_rejections(&mut order, &decision.route, now)? {
                result.unrouted.push(order);
            }
        }
        ClaimDecision::Claim(grant) => {
            let permit = take(&mut order, inputs, grant, now)?;
            result.claimed.push(ClaimedOrder { order, permit });
        }
    }
    Ok(())
}

fn unit_of_work<'a>(
    result: &'a ClaimResult,
    live: &HashSet<String>,
    totals: Vec<LimitTotal>,
) -> UnitOfWork<'a> {
    let new = result.claimed().filter(|o| !live.contains(&o.order_id));
    let claims = result
        .claimed()
        .map(|o| OrderTransition::of(o, OrderState::Init, OrderInput::Claim.as_str()));
    let unrouted = result
        .unrouted
        .iter()
        .map(|o| OrderTransition::of(o, o.state, UNROUTED_EVENT));
    UnitOfWork {
        moved_orders: result.claimed().chain(&result.unrouted).collect(),
        moves: claims.chain(unrouted).collect(),
        new_attempts: new.map(sent).collect(),
        totals,
        ..UnitOfWork::default()
    }
}

fn count_claimed(count: usize) {
    METRICS.claimed.inc_by(count as u64);
    METRICS
        .orders
        .with_label_values(&[OrderState::Dispatching.as_str()])
        .inc_by(count as u64);
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

/// Makes the order ours to send: fixes channel and trade time, counts it in the totals.
fn take(
    order: &mut Order,
    inputs: &mut ClaimInputs,
    grant: ClaimGrant<'_>,
    now: i64,
) -> anyhow::Result<Option<CallPermit>> {
    fix_channel(order, &grant, now)?;
    if let Some(route) = grant.route {
        let trade_time = order.trade_time.as_deref().unwrap_or_default();
        let keys = totals::keys(order, grant.path.id(), trade_time);
        inputs.totals.take(&keys, order.amount)?;
        count_rejections(&route);
        order.route = Some(serde_json::to_string(&route)?);
    }
    Ok(grant.permit)
}

fn fix_channel(order: &mut Order, grant: &ClaimGrant<'_>, now: i64) -> anyhow::Result<()> {
    if !order.was_sent() {
        order.attempts += 1;
    }
    let deadline_us = match &grant.path {
        SendPath::Channel(channel) => {
            if order.trade_time.is_none() {
                order.trade_time = Some(channel.trade_time(now)?);
            }
            channel.deadline.as_micros() as i64
        }
        SendPath::Books | SendPath::Unavailable(_) => 0,
    };
    order.channel = Some(grant.path.id().to_owned());
    order.state = grant.state;
    order.sends += 1;
    order.version += 1;
    order.updated_us = now;
    order.due_us = Some(now + deadline_us + OUTCOME_MARGIN_US);
    Ok(())
}

fn requeue(this: &Dispatcher, order: OrderRef) {
    let ready = this.ready.clone();
    this.parts.job(async move {
        tokio::time::sleep(HOLD_RETRY_DELAY).await;
        ready.push(order);
    });
}
