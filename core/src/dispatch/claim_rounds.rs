//! Claim rounds: each round of orders is claimed once its token has passed, sent, and
//! what else the claim asks for is done.

use crate::dispatch::claim::{ClaimContext, ClaimEffects, UnroutableOrder, claim};
use crate::dispatch::held_orders::HeldOrders;
use crate::dispatch::send::Sender;
use crate::dispatch::token_rounds::TokenRound;
use crate::dispatch::{Dispatcher, MAX_SILENCE, RETRY_DELAY};
use crate::metrics::METRICS;
use crate::orders::state::OrderInput;
use crate::orders::{Order, OrderRef};
use crate::outcome::OrderOutcome;
use sluice_contract::clock::now_us;
use sluice_contract::sql::Conn;
use sluice_contract::traces::{SpanKind, SpanTimes, TraceField, TraceSpan};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Held orders are looked at after this even if the fence says nothing new.
const HELD_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Result code of an order that no channel will ever take.
const NO_ROUTE_CODE: &str = "no_route";

/// Claims round after round, each once its token has passed. Ends at the stop, between
/// two claims.
pub(super) async fn run(
    this: Arc<Dispatcher>,
    held: Arc<HeldOrders>,
    mut rounds: mpsc::Receiver<TokenRound>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let sender = Sender {
        channels: this.channels.clone(),
        outcomes: this.outcomes.clone(),
        parts: this.parts.clone(),
    };
    let mut conn: Option<Conn> = None;
    let beat = this.parts.heartbeat("claim", MAX_SILENCE);
    beat.rest();
    let mut next = async || {
        let round = rounds.recv().await?;
        let holds = this.fence.wait(round.token).await;
        round.observe();
        Some((this.park_held(&held, round, &holds), holds))
    };
    while let Some(Some((round, holds))) = stop.run_until_cancelled(next()).await {
        if !round.orders.is_empty() {
            beat.turn();
            claim_round(&this, &sender, &mut conn, round, &holds).await;
            beat.rest();
        }
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
    let begun_us = now_us();
    match claim(this.claim_context(), conn, &round.orders, holds).await {
        Ok(round) => {
            for order in &round.effects.altered {
                this.suspects.quarantine_altered(order).await;
            }
            for claimed in round.claimed {
                trace_claim(&claimed.order, begun_us);
                sender.send(claimed);
            }
            this.suspects
                .report_breakers(&round.effects.unknown_breakers)
                .await;
            this.perform(round.effects);
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

/// Tells the order's trace of the claim: the round's transaction is one for many traces.
fn trace_claim(order: &Order, begun_us: i64) {
    if let Some(parent) = order.trace() {
        let ended_us = now_us();
        let times = SpanTimes { begun_us, ended_us };
        let mut span = TraceSpan::past("claim", SpanKind::Internal, Some(parent), times, None);
        span.set(TraceField::Order, &order.order_id);
        span.set(TraceField::Channel, order.channel.as_deref().unwrap_or("-"));
    }
}

impl Dispatcher {
    pub(super) fn claim_context(&self) -> ClaimContext<'_> {
        ClaimContext {
            pool: &self.pool,
            schemas: &self.schemas,
            key: &self.key,
            seals: &self.seals,
            together: self.together,
            breakers: self.fence.breakers_version(),
            routing: &self.routing,
            channels: &self.channels,
            day_zone: &self.day_zone,
        }
    }

    fn perform(&self, effects: ClaimEffects) {
        METRICS
            .routing
            .unroutable
            .inc_by(effects.failing.len() as u64);
        for order in effects.failing {
            self.fail(order);
        }
    }

    /// Takes the orders of held accounts out of the round: they cost neither a claim nor the
    /// turn of another.
    fn park_held(
        &self,
        held: &HeldOrders,
        mut round: TokenRound,
        holds: &HashSet<String>,
    ) -> TokenRound {
        if holds.is_empty() {
            return round;
        }
        let is_held = |at: &mut OrderRef| holds.contains(&at.account_id);
        let parked: Vec<OrderRef> = round.orders.extract_if(.., is_held).collect();
        if !parked.is_empty() {
            parked.into_iter().for_each(|at| held.put(at));
            // The account may have been freed since this round's token passed.
            self.release_held(held, &self.fence.held_accounts());
        }
        round
    }

    fn release_held(&self, held: &HeldOrders, holds: &HashSet<String>) {
        let free = held.release(holds);
        free.into_iter().for_each(|at| self.ready.push(at));
    }

    /// Gives held orders back to the ready queue once the fence holds their accounts no more.
    pub(super) async fn wake_held(self: Arc<Self>, held: Arc<HeldOrders>) {
        loop {
            let holds = self.fence.held_accounts();
            self.release_held(&held, &holds);
            let changed = self.fence.holds_changed(&holds);
            let _ = tokio::time::timeout(HELD_CHECK_INTERVAL, changed).await;
        }
    }

    /// Hands over an order that no channel will ever take. What can't be recorded now is
    /// found again by polling.
    fn fail(&self, order: UnroutableOrder) {
        let outcomes = self.outcomes.clone();
        let code = (!order.declined).then(|| NO_ROUTE_CODE.to_owned());
        let outcome = OrderOutcome {
            code,
            ..OrderOutcome::new(order.at, OrderInput::Unroutable)
        };
        self.parts.job(async move {
            let _ = outcomes.record(outcome).await;
        });
    }
}
