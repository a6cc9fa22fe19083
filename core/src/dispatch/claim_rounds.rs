//! Claim rounds: each round of orders is claimed once its token has passed, sent, and
//! what else the claim asks for is done.

use crate::dispatch::claim::{ClaimContext, ClaimEffects, ClaimedOrder, UnroutableOrder, claim};
use crate::dispatch::send::Sender;
use crate::dispatch::token_rounds::TokenRound;
use crate::dispatch::{Dispatcher, RETRY_DELAY};
use crate::metrics::METRICS;
use crate::orders::OrderRef;
use crate::orders::state::OrderInput;
use crate::outcome::OrderOutcome;
use mysql_async::Conn;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// An order whose account is held by an open pair is tried again after this.
const HOLD_RETRY_DELAY: Duration = Duration::from_millis(20);
/// Result code of an order that no channel will ever take.
const NO_ROUTE_CODE: &str = "no_route";

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
    match claim(this.claim_context(), conn, &round.orders, holds).await {
        Ok(round) => {
            for ClaimedOrder { order, permit } in round.claimed {
                sender.send(order, permit);
            }
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

impl Dispatcher {
    pub(super) fn claim_context(&self) -> ClaimContext<'_> {
        ClaimContext {
            pool: &self.pool,
            schemas: &self.schemas,
            key: &self.key,
            breakers: self.fence.breakers_version(),
            routing: &self.routing,
            channels: &self.channels,
        }
    }

    fn perform(&self, effects: ClaimEffects) {
        effects.requeued.into_iter().for_each(|at| self.requeue(at));
        METRICS
            .routing
            .unroutable
            .inc_by(effects.failing.len() as u64);
        for order in effects.failing {
            self.fail(order);
        }
    }

    fn requeue(&self, order: OrderRef) {
        let ready = self.ready.clone();
        self.parts.job(async move {
            tokio::time::sleep(HOLD_RETRY_DELAY).await;
            ready.push(order);
        });
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
