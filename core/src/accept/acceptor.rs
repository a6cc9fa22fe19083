//! Entrance of the accept path.

use crate::accept::writer::{AcceptWriter, PendingAccept};
use crate::accept::{AcceptError, AcceptResult, IdempotentRequest, replay};
use crate::config::AcceptConfig;
use crate::ready_queue::ReadyQueue;
use crate::saga::BookingSaga;
use ahash::AHashSet;
use quick_cache::sync::Cache;
use sluice_contract::ids::bucket_of;
use sluice_contract::provenance::TransactionSigner;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::Pool;
use sluice_contract::supervisor::Supervisor;
use sluice_contract::traces::{SpanKind, TraceField, TraceSpan};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tracing::Instrument;

/// Answers kept so that a repeated request spares the database (about 30 MB).
const MAX_CACHED_ANSWERS: usize = 100_000;

/// A batch that takes longer hangs: all its tries together take less.
const WRITER_MAX_SILENCE: Duration = Duration::from_secs(30);

/// The entrance of the accept path: cache, keys in flight, and the writers.
pub struct Acceptor {
    writers: Vec<mpsc::Sender<PendingAccept>>,
    in_flight: Mutex<AHashSet<(String, String)>>,
    answers: Cache<(String, String), Arc<(String, String)>>,
    pool: Pool,
    /// The pool's epoch whose answers are kept.
    answered_in: AtomicU64,
}

/// A key in flight, freed when the request is over, however it ends.
struct InFlightKey<'a> {
    acceptor: &'a Acceptor,
    id: (String, String),
}

impl Drop for InFlightKey<'_> {
    fn drop(&mut self) {
        self.acceptor
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.id);
    }
}

impl Acceptor {
    /// Starts the writers among `parts`. They end at the stop, once their queues are
    /// drained. `saga` books instead if balance and ledger are on servers of their own.
    pub fn start(
        parts: &Supervisor,
        config: &AcceptConfig,
        pool: &Pool,
        schemas: &Schemas,
        key: &TransactionSigner,
        ready: &ReadyQueue,
        saga: Option<Arc<BookingSaga>>,
    ) -> Arc<Self> {
        let writers = (0..config.writers)
            .map(|number| {
                let (sender, receiver) = mpsc::channel(config.queue_capacity);
                let writer =
                    AcceptWriter::new(config, pool, schemas, key, ready.clone(), saga.clone());
                let name = format!("accept-writer-{number}");
                let beat = parts.heartbeat(&name, WRITER_MAX_SILENCE);
                parts.spawn(name, writer.run(receiver, beat, parts.stop_token()));
                sender
            })
            .collect();
        Arc::new(Acceptor {
            writers,
            in_flight: Mutex::default(),
            answers: Cache::new(MAX_CACHED_ANSWERS),
            pool: pool.clone(),
            answered_in: AtomicU64::new(pool.epoch()),
        })
    }

    /// Books the request once. The answer leaves after the commit.
    ///
    /// The whole runs as a task of its own, so that a caller who hangs up can't
    /// free the key while the transaction is still under way. `note` is called with the
    /// result in any case.
    pub async fn submit(
        self: &Arc<Self>,
        mut request: IdempotentRequest,
        note: impl FnOnce(&AcceptResult) + Send + 'static,
    ) -> AcceptResult {
        let this = self.clone();
        let mut span = TraceSpan::within("accept", SpanKind::Internal, request.origin.parent);
        // Whatever becomes of the order is hung up below its acceptance.
        request.origin.parent = span.parent().or(request.origin.parent);
        let booking = async move {
            let result = this.book(request).await;
            note(&result);
            result
        };
        let task = tokio::spawn(booking.instrument(tracing::Span::current()));
        let result = task.await.unwrap_or(Err(AcceptError::Unavailable));
        if let Ok(accepted) = &result {
            span.set(TraceField::Order, &accepted.order_id);
        }
        result
    }

    async fn book(&self, request: IdempotentRequest) -> AcceptResult {
        let id = (request.client.clone(), request.stored_key());
        let epoch = self.forget_lost_answers();
        // Another request under the key is compared with the first order by the writer.
        if let Some(known) = self.answers.get(&id)
            && known.0 == request.request_hash
        {
            return replay(&known.0, &known.1, &request.request_hash);
        }
        if !self
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.clone())
        {
            return Err(AcceptError::InFlight);
        }
        let in_flight = InFlightKey { acceptor: self, id };
        // One account always takes the same writer: writers of one instance don't
        // wait for each other's locks, and a hot account's requests share batches.
        let at = bucket_of(request.booking.account_id()) as usize % self.writers.len();
        let (answer, result) = oneshot::channel();
        let hash = request.request_hash.clone();
        self.writers[at]
            .try_send(PendingAccept { request, answer })
            .map_err(|e| match e {
                mpsc::error::TrySendError::Full(_) => AcceptError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => AcceptError::Unavailable,
            })?;
        let result = result.await.unwrap_or(Err(AcceptError::Unavailable));
        if let Ok(accepted) = &result
            && epoch == self.pool.epoch()
        {
            self.answers.insert(
                in_flight.id.clone(),
                Arc::new((hash, accepted.order_id.clone())),
            );
        }
        result
    }

    /// Forgets every answer once another server answers, or the same one after a restart:
    /// it may have lost the commits that the answers tell of. Returns the pool's epoch.
    fn forget_lost_answers(&self) -> u64 {
        let epoch = self.pool.epoch();
        if self.answered_in.swap(epoch, Ordering::AcqRel) != epoch {
            self.answers.clear();
        }
        epoch
    }
}
