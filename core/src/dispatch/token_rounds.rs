//! Token rounds: ready orders are gathered, and a fence token is raised behind them.

use crate::dispatch::{Dispatcher, MAX_SILENCE, RETRY_DELAY};
use crate::metrics::METRICS;
use crate::orders::OrderRef;
use sluice_contract::sql::Conn;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;

/// Orders under one token.
pub(super) struct TokenRound {
    pub token: u64,
    pub orders: Vec<OrderRef>,
    raised: Instant,
}

impl TokenRound {
    /// Notes how long the token took to pass.
    pub fn observe(&self) {
        METRICS
            .fence_wait
            .observe(self.raised.elapsed().as_secs_f64());
    }
}

impl Dispatcher {
    /// Makes rounds for as long as somebody claims them.
    pub(super) async fn gather(self: Arc<Self>, rounds: mpsc::Sender<TokenRound>) {
        let mut conn: Option<Conn> = None;
        let beat = self.parts.heartbeat("token-rounds", MAX_SILENCE);
        beat.rest();
        loop {
            let orders = self.next_orders().await;
            beat.turn();
            let token = self.raise_until_done(&mut conn).await;
            beat.rest();
            let raised = Instant::now();
            let round = TokenRound {
                token,
                orders,
                raised,
            };
            if rounds.send(round).await.is_err() {
                return;
            }
        }
    }

    /// One order that is to be tried alone, else all that are ready.
    async fn next_orders(&self) -> Vec<OrderRef> {
        match self.suspects.next() {
            Some(alone) => vec![alone],
            None => {
                let ready = self.ready.take(self.config.max_batch).await;
                self.suspects.without_quarantined(ready)
            }
        }
    }

    async fn raise_until_done(&self, conn: &mut Option<Conn>) -> u64 {
        loop {
            match self.raise(conn).await {
                Ok(token) => return token,
                Err(error) => {
                    tracing::warn!("can't raise a fence token: {error:#}");
                    *conn = None;
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
        }
    }

    async fn raise(&self, conn: &mut Option<Conn>) -> anyhow::Result<u64> {
        let conn = self.pool.hold(conn).await?;
        self.fence.raise(conn).await
    }
}
