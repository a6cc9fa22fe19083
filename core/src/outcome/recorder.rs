//! Entrance for outcomes.

use crate::batch::{LockWait, LockedAccounts};
use crate::orders::{OrderRef, OrderSeals};
use crate::outcome::apply::OutcomeDelays;
use crate::outcome::report::{OrderOutcome, OutcomeNotRecorded, OutcomeResult};
use crate::outcome::transaction::OutcomeTransaction;
use crate::outcome::writer::{OutcomeWriter, PendingOutcome};
use crate::ready_queue::ReadyQueue;
use crate::saga::SagaFollower;
use quick_cache::sync::Cache;
use sluice_contract::ids::bucket_of;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::Pool;
use sluice_contract::supervisor::Supervisor;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Writers of outcomes, side by side.
const WRITER_COUNT: usize = 2;
/// Outcomes waiting per writer; senders wait beyond it.
const QUEUE_CAPACITY: usize = 4_096;
/// A batch that takes longer hangs.
const WRITER_MAX_SILENCE: Duration = Duration::from_secs(60);
/// Sent orders whose account is remembered (about 10 MB).
const MAX_REMEMBERED_ORDERS: usize = 50_000;

/// Entrance for outcomes; cheap to clone.
#[derive(Clone)]
pub struct OutcomeRecorder {
    writers: Vec<mpsc::Sender<PendingOutcome>>,
    /// Accounts of orders that this instance sent, so that their callbacks need no
    /// lookup: order id → account.
    sent: Arc<Cache<String, String>>,
}

impl OutcomeRecorder {
    /// Starts the writers among `parts`. They end at the stop, once their queues are
    /// drained. `follower` books if balance and ledger are on servers of their own.
    pub fn start(
        parts: &Supervisor,
        pool: &Pool,
        schemas: &Schemas,
        seals: &OrderSeals,
        delays: &OutcomeDelays,
        ready: &ReadyQueue,
        follower: Option<&SagaFollower>,
    ) -> Self {
        let writers = (0..WRITER_COUNT)
            .map(|number| {
                let (sender, receiver) = mpsc::channel(QUEUE_CAPACITY);
                let transaction = OutcomeTransaction {
                    pool: pool.clone(),
                    schemas: schemas.clone(),
                    key: seals.signer().clone(),
                    seals: seals.clone(),
                    delays: delays.clone(),
                    ready: ready.clone(),
                    follower: follower.cloned(),
                    conn: None,
                    locked: LockedAccounts::default(),
                    lock_wait: LockWait::Usual,
                };
                let name = format!("outcome-writer-{number}");
                let beat = parts.heartbeat(&name, WRITER_MAX_SILENCE);
                let writer = OutcomeWriter { transaction };
                parts.spawn(name, writer.run(receiver, beat, parts.stop_token()));
                sender
            })
            .collect();
        OutcomeRecorder {
            writers,
            sent: Arc::new(Cache::new(MAX_REMEMBERED_ORDERS)),
        }
    }

    /// Remembers the account of an order that was just sent.
    pub fn remember(&self, order: &OrderRef) {
        self.sent
            .insert(order.order_id.clone(), order.account_id.clone());
    }

    pub fn remembered(&self, order_id: &str) -> Option<OrderRef> {
        self.sent
            .get(order_id)
            .map(|account| OrderRef::new(&account, order_id))
    }

    /// Applies the outcome; returns after the commit.
    pub async fn record(&self, outcome: OrderOutcome) -> Result<OutcomeResult, OutcomeNotRecorded> {
        // One order always takes the same writer, so its outcomes stay in order.
        let at = bucket_of(&outcome.at.order_id) as usize % self.writers.len();
        let (answer, taken) = oneshot::channel();
        self.writers[at]
            .send(PendingOutcome { outcome, answer })
            .await
            .map_err(|_| OutcomeNotRecorded)?;
        taken.await.unwrap_or(Err(OutcomeNotRecorded))
    }
}
