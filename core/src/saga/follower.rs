//! Follows outcomes whose books are on other servers, and drives their bookings.

use crate::batch::BatchCollector;
use crate::intents::BookingIntent;
use crate::orders::OrderRef;
use crate::saga::BookingSaga;
use sluice_contract::supervisor::Supervisor;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Shortest time between two batches of the follower.
const BATCH_INTERVAL: Duration = Duration::from_millis(8);
/// Outcome batches driven together at most.
const MAX_OUTCOME_BATCHES_PER_DRIVE: usize = 4;
/// Outcome batches waiting; what doesn't fit, recovery finds.
const QUEUE_CAPACITY: usize = 256;

/// Follower of outcome batches: drives what they have left to be booked, behind the
/// callers' backs. Their answer is the first commit, which holds the intent.
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
    let mut collector = BatchCollector::new(BATCH_INTERVAL, stop);
    while collector
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

/// Adds bookings that are still open before a return: they must be made first.
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
