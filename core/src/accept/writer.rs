//! One of the writers of accept transactions. While a batch commits, the next one is
//! collected; that is the whole batching policy.

use crate::accept::split_books::SplitAccept;
use crate::accept::transaction::AcceptTransaction;
use crate::accept::{AcceptResult, IdempotentRequest};
use crate::batch::BatchCollector;
use crate::config::AcceptConfig;
use crate::metrics::METRICS;
use crate::ready_queue::ReadyQueue;
use crate::saga::BookingSaga;
use sluice_contract::heartbeat::Heartbeat;
use sluice_contract::provenance::TransactionSigner;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::Pool;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// One request on its way through a writer.
pub struct PendingAccept {
    pub request: IdempotentRequest,
    pub answer: oneshot::Sender<AcceptResult>,
}

pub struct AcceptWriter {
    max_batch: usize,
    linger: Duration,
    books: AcceptedBooks,
}

/// Books that the writer writes to.
enum AcceptedBooks {
    /// On the orders' own server.
    Together(Box<AcceptTransaction>),
    /// Balance and ledger on servers of their own.
    Split(Arc<BookingSaga>),
}

impl AcceptWriter {
    /// Makes a writer; with `saga`, bookings go through it.
    pub fn new(
        config: &AcceptConfig,
        pool: &Pool,
        schemas: &Schemas,
        key: &TransactionSigner,
        ready: ReadyQueue,
        saga: Option<Arc<BookingSaga>>,
    ) -> Self {
        let books = match saga {
            Some(saga) => AcceptedBooks::Split(saga),
            None => {
                AcceptedBooks::Together(Box::new(AcceptTransaction::new(pool, schemas, key, ready)))
            }
        };
        AcceptWriter {
            max_batch: config.max_batch,
            linger: Duration::from_millis(config.linger_ms),
            books,
        }
    }

    /// Serves until the stop, and until the queue is drained.
    pub async fn run(
        mut self,
        mut queue: mpsc::Receiver<PendingAccept>,
        beat: Heartbeat,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut batch = Vec::with_capacity(self.max_batch);
        let mut collector = BatchCollector::new(self.linger, stop);
        beat.rest();
        while collector.next(&mut queue, &mut batch, self.max_batch).await {
            beat.turn();
            METRICS.accept_batch.observe(batch.len() as f64);
            let (requests, answers): (Vec<_>, Vec<_>) =
                batch.drain(..).map(|p| (p.request, p.answer)).unzip();
            let results = match &mut self.books {
                AcceptedBooks::Together(transaction) => transaction.write(&requests).await,
                AcceptedBooks::Split(saga) => SplitAccept::new(saga).write(&requests).await,
            };
            for (answer, result) in answers.into_iter().zip(results) {
                // The caller may have hung up; the booking stands.
                let _ = answer.send(result);
            }
            beat.rest();
        }
        Ok(())
    }
}
