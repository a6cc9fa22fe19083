//! One of the writers of outcomes: a batch at a time.

use crate::batch::BatchCollector;
use crate::outcome::report::{OrderOutcome, OutcomeNotRecorded, OutcomeResult};
use crate::outcome::transaction::OutcomeTransaction;
use sluice_contract::heartbeat::Heartbeat;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Shortest time between two batches of a writer.
const BATCH_INTERVAL: Duration = Duration::from_millis(8);
/// Outcomes in one transaction at most.
const MAX_OUTCOMES_PER_BATCH: usize = 128;

/// One outcome on its way through a writer.
pub struct PendingOutcome {
    pub(super) outcome: OrderOutcome,
    pub(super) answer: oneshot::Sender<Result<OutcomeResult, OutcomeNotRecorded>>,
}

pub struct OutcomeWriter {
    pub(super) transaction: OutcomeTransaction,
}

impl OutcomeWriter {
    /// Serves until the stop, and until the queue is drained.
    pub async fn run(
        mut self,
        mut queue: mpsc::Receiver<PendingOutcome>,
        beat: Heartbeat,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut batch = Vec::with_capacity(MAX_OUTCOMES_PER_BATCH);
        let mut collector = BatchCollector::new(BATCH_INTERVAL, stop);
        beat.rest();
        while collector
            .next(&mut queue, &mut batch, MAX_OUTCOMES_PER_BATCH)
            .await
        {
            beat.turn();
            let (outcomes, answers): (Vec<_>, Vec<_>) =
                batch.drain(..).map(|p| (p.outcome, p.answer)).unzip();
            let taken = self.transaction.write(&outcomes).await;
            for (answer, taken) in answers.into_iter().zip(taken) {
                // The one who asked may be gone; the outcome stands.
                let _ = answer.send(taken);
            }
            beat.rest();
        }
        Ok(())
    }
}
