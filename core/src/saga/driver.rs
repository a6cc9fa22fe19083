//! Drives intents through their steps. Every step may run again, so whatever fails
//! in passing is simply begun anew at the balance.

use crate::batch::BatchCollector;
use crate::intents::{BookingIntent, BookingResult, repo};
use crate::metrics::METRICS;
use crate::orders::OrderRef;
use crate::saga::BookingSaga;
use sluice_contract::sql;
use sluice_contract::supervisor::Supervisor;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Tries of one batch: with the pauses between them about 1 s.
const MAX_ATTEMPTS: u32 = 6;
/// All tries together: callers wait for it, and recovery goes on from there.
const DRIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Shortest time between two batches of the follower.
const BATCH_INTERVAL: Duration = Duration::from_millis(8);
/// Outcome batches driven together at most.
const MAX_OUTCOME_BATCHES_PER_DRIVE: usize = 4;
/// Outcome batches waiting; what doesn't fit, recovery finds.
const QUEUE_CAPACITY: usize = 256;

/// An intent and what became of it; `None` waits for a person.
pub type DrivenIntent = (BookingIntent, Option<BookingResult>);

impl BookingSaga {
    /// Drives the intents to their end, earlier bookings of an order before later ones.
    ///
    /// # Errors
    /// A service that can't be reached or refuses: the intents stay open, and a later
    /// drive of the same ones finds out how far this one came.
    pub async fn drive(
        &self,
        mut intents: Vec<BookingIntent>,
    ) -> anyhow::Result<Vec<DrivenIntent>> {
        // Another driver was quicker: the servers know no empty list.
        if intents.is_empty() {
            return Ok(Vec::new());
        }
        intents.sort_by_key(BookingIntent::rank);
        let mut at = "balance";
        match tokio::time::timeout(DRIVE_TIMEOUT, self.insist(&intents, &mut at)).await {
            Ok(Ok(done)) => Ok(intents.into_iter().zip(done).collect()),
            Ok(Err(error)) if !is_transient(&error) && intents.len() > 1 => {
                self.isolate_intents(intents).await
            }
            failed => {
                METRICS.saga.failures.with_label_values(&[at]).inc();
                let error = failed.map_err(anyhow::Error::from).flatten().err();
                let error =
                    error.unwrap_or_else(|| anyhow::anyhow!("no answer within {DRIVE_TIMEOUT:?}"));
                if at != "orders"
                    && (is_transient(&error) || error.is::<tokio::time::error::Elapsed>())
                {
                    self.set_away(true);
                }
                Err(error.context(format!(
                    "{} bookings wait at the step of {at}",
                    intents.len()
                )))
            }
        }
    }

    /// One intent spoils the batch: each is driven alone, so that only that one waits.
    async fn isolate_intents(
        &self,
        intents: Vec<BookingIntent>,
    ) -> anyhow::Result<Vec<DrivenIntent>> {
        let mut all = Vec::with_capacity(intents.len());
        for intent in intents {
            match Box::pin(self.drive(vec![intent.clone()])).await {
                Ok(driven) => all.extend(driven),
                Err(error) => {
                    tracing::error!(account = %intent.posting.account_id, saga = %intent.posting.posting_id, "{error:#}");
                    all.push((intent, None));
                }
            }
        }
        Ok(all)
    }

    async fn insist(
        &self,
        intents: &[BookingIntent],
        at: &mut &'static str,
    ) -> anyhow::Result<Vec<Option<BookingResult>>> {
        for attempt in 1u32.. {
            match self.once(intents, at).await {
                Err(error) if attempt < MAX_ATTEMPTS && is_transient(&error) => {
                    tracing::debug!(attempt, at, "bookings are driven again: {error:#}");
                    tokio::time::sleep(Duration::from_millis(10 << attempt)).await;
                }
                done => return done,
            }
        }
        unreachable!("the loop returns")
    }

    async fn once(
        &self,
        intents: &[BookingIntent],
        at: &mut &'static str,
    ) -> anyhow::Result<Vec<Option<BookingResult>>> {
        *at = "balance";
        let done = self.book(intents).await?;
        *at = "ledger";
        self.post(intents, &done).await?;
        *at = "orders";
        self.close(intents, &done).await?;
        Ok(done)
    }

    /// The open intents of these orders and bookings.
    pub async fn open_of(&self, at: &[OrderRef]) -> anyhow::Result<Vec<BookingIntent>> {
        let mut conn = self.orders.get_conn().await?;
        repo::of_orders(&mut conn, at, &self.key).await
    }
}

/// Whether the next try may go better.
fn is_transient(error: &anyhow::Error) -> bool {
    let server = error.downcast_ref::<mysql_async::Error>();
    server.is_some_and(|e| sql::is_retryable(e) || sql::is_disconnect(e) || sql::is_duplicate(e))
}

/// Drives what outcomes have left to be booked, behind the callers' backs: their
/// answer is the first commit, which holds the intent.
#[derive(Clone)]
pub struct SagaFollower {
    saga: Arc<BookingSaga>,
    queue: mpsc::Sender<Vec<BookingIntent>>,
}

impl SagaFollower {
    /// Starts the follower among `parts`.
    pub fn start(parts: &Supervisor, saga: &Arc<BookingSaga>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_CAPACITY);
        let stop = parts.stop_token();
        parts.spawn("saga-follower", follow(saga.clone(), waiting, stop));
        SagaFollower {
            saga: saga.clone(),
            queue,
        }
    }

    /// Takes committed intents to drive. Never waits: what doesn't fit is found again.
    pub fn follow(&self, intents: Vec<BookingIntent>) {
        if !intents.is_empty() {
            let _ = self.queue.try_send(intents);
        }
    }

    pub fn saga(&self) -> &Arc<BookingSaga> {
        &self.saga
    }
}

async fn follow(
    saga: Arc<BookingSaga>,
    mut queue: mpsc::Receiver<Vec<BookingIntent>>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut batch = Vec::with_capacity(MAX_OUTCOME_BATCHES_PER_DRIVE);
    let mut gather = BatchCollector::new(BATCH_INTERVAL, stop);
    while gather
        .next(&mut queue, &mut batch, MAX_OUTCOME_BATCHES_PER_DRIVE)
        .await
    {
        let intents: Vec<BookingIntent> = batch.drain(..).flatten().collect();
        let done = async {
            let intents = with_earlier(&saga, intents).await?;
            saga.drive(intents).await
        };
        if let Err(error) = done.await {
            tracing::warn!("bookings are left to recovery: {error:#}");
        }
    }
    Ok(())
}

/// Adds what is still open before a return: it must be booked first.
async fn with_earlier(
    saga: &BookingSaga,
    intents: Vec<BookingIntent>,
) -> anyhow::Result<Vec<BookingIntent>> {
    let late: BTreeSet<OrderRef> = intents
        .iter()
        .filter(|i| i.rank() > 1)
        .map(|i| OrderRef::new(&i.posting.account_id, &i.order_id))
        .collect();
    let late: Vec<OrderRef> = late.into_iter().collect();
    let mut all = saga.open_of(&late).await?;
    let there: BTreeSet<(String, String)> = all
        .iter()
        .map(|i| (i.posting.account_id.clone(), i.posting.posting_id.clone()))
        .collect();
    all.extend(intents.into_iter().filter(|i| {
        !there.contains(&(i.posting.account_id.clone(), i.posting.posting_id.clone()))
    }));
    Ok(all)
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
