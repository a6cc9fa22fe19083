//! From accepted to sent: gather ready orders, raise a fence token, wait until
//! the sidecar has passed it, claim under the breakers, send, report the answer.
//!
//! Two tasks in a pipeline, so that a token's round trip never idles the claims:
//! `gather` raises tokens, `claim` takes what has passed.

mod claim;
mod route;
mod send;

pub mod blocking_reason;
pub mod isolate;

pub use crate::channels::permits::{CallPermit, CallPermits};
pub use crate::dispatch::isolate::IsolationQueue;
pub use crate::ready_queue::ReadyQueue;
pub use send::Sender;

use crate::channels::ChannelClient;
use crate::config;
use crate::guard::fence::FenceClient;
use crate::metrics::METRICS;
use crate::orders::{OrderRef, repo};
use crate::outcome::OutcomeRecorder;
use crate::routing::{self, ActiveRouting};
use mysql_async::{Conn, Pool};
use sluice_contract::clock::now_us;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Token rounds under way at once: enough to hide a round trip of several commits.
const MAX_ROUNDS_IN_FLIGHT: usize = 8;
/// Orders read per poll of the table.
const MAX_ORDERS_PER_POLL: usize = 500;
const RETRY_DELAY: Duration = Duration::from_millis(200);
/// How often orders without a route are counted.
const UNROUTED_COUNT_INTERVAL: Duration = Duration::from_secs(2);

/// Everything that dispatch needs; channels in order of preference.
pub struct Dispatcher {
    pub config: config::DispatchConfig,
    pub pool: Pool,
    pub schemas: Schemas,
    pub key: Secret,
    pub fence: FenceClient,
    pub routing: ActiveRouting,
    pub channels: Arc<[ChannelClient]>,
    pub outcomes: OutcomeRecorder,
    pub ready: ReadyQueue,
    pub suspects: IsolationQueue,
}

/// Orders under one token.
struct TokenRound {
    token: u64,
    raised: Instant,
    orders: Vec<OrderRef>,
}

impl Dispatcher {
    /// Runs until the process ends; every part of it may run twice without harm,
    /// since the claim alone decides.
    pub fn start(self) {
        let this = Arc::new(self);
        let (rounds, passed) = mpsc::channel(MAX_ROUNDS_IN_FLIGHT);
        tokio::spawn(this.clone().gather(rounds));
        tokio::spawn(claim::run(this.clone(), passed));
        tokio::spawn(this.fence.clone().keep_raising(this.pool.clone()));
        tokio::spawn(this.poll());
    }

    /// Claims these orders on `conn`, as after their token has passed, and sends
    /// nothing; returns how many are ours to send. For measuring.
    ///
    /// # Errors
    /// The database's, after some tries.
    pub async fn claim(
        &self,
        conn: &mut Option<Conn>,
        orders: &[OrderRef],
    ) -> anyhow::Result<usize> {
        Ok(claim::claim(self, conn, orders, &HashSet::new())
            .await?
            .len())
    }

    async fn gather(self: Arc<Self>, rounds: mpsc::Sender<TokenRound>) {
        let mut conn: Option<Conn> = None;
        loop {
            let orders = match self.suspects.next() {
                Some(alone) => vec![alone],
                None => self
                    .suspects
                    .without_quarantined(self.ready.take(self.config.max_batch).await),
            };
            let token = loop {
                match self.raise(&mut conn).await {
                    Ok(token) => break token,
                    Err(error) => {
                        tracing::warn!("can't raise a fence token: {error:#}");
                        conn = None;
                        tokio::time::sleep(RETRY_DELAY).await;
                    }
                }
            };
            if rounds
                .send(TokenRound {
                    token,
                    raised: Instant::now(),
                    orders,
                })
                .await
                .is_err()
            {
                return;
            }
        }
    }

    async fn raise(&self, conn: &mut Option<Conn>) -> anyhow::Result<u64> {
        let conn = match conn {
            Some(conn) => conn,
            none => none.insert(self.pool.get_conn().await?),
        };
        self.fence.raise(conn).await
    }

    /// Finds orders that nobody remembers: of an instance that died, that fell out
    /// of the queue, or that wait for a breaker. Pages through them with a cursor,
    /// so that many blocked orders don't hide the ones behind.
    async fn poll(self: Arc<Self>) {
        let mut cursor = (0, String::new());
        let mut counted: Option<Instant> = None;
        loop {
            tokio::time::sleep(Duration::from_millis(self.config.poll_interval_ms)).await;
            if counted.is_none_or(|at| at.elapsed() > UNROUTED_COUNT_INTERVAL) {
                counted = Some(Instant::now());
                if let Err(error) = self.count_unrouted().await {
                    tracing::warn!("can't count orders without a route: {error:#}");
                }
            }
            self.channels.iter().for_each(|c| c.permits.sweep());
            if self.fence.stalled().is_some() || self.ready.len() > self.config.queue_capacity / 2 {
                continue;
            }
            match self.page(&cursor).await {
                Ok(page) => {
                    cursor = match page.last() {
                        Some((due, at)) if page.len() == MAX_ORDERS_PER_POLL => {
                            (*due, at.order_id.clone())
                        }
                        _ => (0, String::new()),
                    };
                    let waits =
                        |at: &OrderRef| self.channels.iter().any(|c| c.permits.is_waiting(at));
                    page.into_iter()
                        .filter(|(_, at)| !waits(at))
                        .for_each(|(_, at)| self.ready.push(at));
                }
                Err(error) => tracing::warn!("can't poll for orders: {error:#}"),
            }
        }
    }

    async fn count_unrouted(&self) -> anyhow::Result<()> {
        let (count, oldest) = routing::repo::unrouted(&mut self.pool.get_conn().await?).await?;
        METRICS.routing.unrouted.set(count);
        METRICS
            .routing
            .unrouted_oldest
            .set(oldest.map_or(0, |at| (now_us() - at) / 1_000_000));
        Ok(())
    }

    async fn page(&self, cursor: &(i64, String)) -> anyhow::Result<Vec<(i64, OrderRef)>> {
        let mut conn = self.pool.get_conn().await?;
        repo::due_to_send(
            &mut conn,
            now_us(),
            (cursor.0, &cursor.1),
            MAX_ORDERS_PER_POLL,
        )
        .await
    }

    fn observe(&self, round: &TokenRound) {
        METRICS
            .fence_wait
            .observe(round.raised.elapsed().as_secs_f64());
    }
}
