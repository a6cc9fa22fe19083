//! Nonces of signed requests, which count once at all cores together. They are written
//! before the request is looked at any further: one that is then refused is used up too,
//! and whoever caught it can't have it accepted later, when money has come.
//!
//! Requests that come at a time share a statement and its commit. No core remembers
//! anything by itself, so that one that was restarted knows what it has seen.

use crate::access::nonce_repo::{self, NonceUse};
use crate::access::refusal::AccessRefusal;
use crate::access::signed::SignatureHeader;
use sha2::{Digest, Sha256};
use sluice_contract::clock::now_us;
use sluice_contract::signing::MAX_CLOCK_SKEW_S;
use sluice_contract::sql::Pool;
use sluice_contract::supervisor::Supervisor;
use sluice_contract::wire::ApiCode;
use std::collections::HashSet;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, oneshot};

/// Requests that may wait for their nonces: a few commits' worth.
const MAX_WAITING: usize = 4_096;
const MAX_PER_STATEMENT: usize = 256;
/// Tries of a statement: one that was committed without a word is found by the second.
const MAX_TRIES: usize = 2;
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait of a request, for the statement before its own and for that.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for which a nonce is kept after its request's time has passed: clocks of cores may
/// differ by as much.
const EXPIRY_MARGIN_S: i64 = 600;
const FORGET_INTERVAL: Duration = Duration::from_secs(1);
/// Deletes of one interval: 20,000 rows, twice what cores can write.
const MAX_DELETES_PER_INTERVAL: usize = 40;

/// A nonce that waits for the database, and the request that waits for it.
struct WaitingNonce {
    nonce: NonceUse,
    /// Whether it counts; dropped if nobody could find out.
    answer: oneshot::Sender<bool>,
}

/// The nonces that were used; one per process.
pub(super) struct UsedNonces {
    pool: Pool,
    waiting: mpsc::Sender<WaitingNonce>,
    /// The other end, held by the task that writes.
    received: Mutex<mpsc::Receiver<WaitingNonce>>,
}

impl UsedNonces {
    pub fn new(pool: Pool) -> Self {
        let (waiting, received) = mpsc::channel(MAX_WAITING);
        UsedNonces {
            pool,
            waiting,
            received: Mutex::new(received),
        }
    }

    /// Starts writing nonces, and forgetting what can't count any more.
    pub fn start(self: &std::sync::Arc<Self>, parts: &Supervisor) {
        let (writes, forgets) = (self.clone(), self.clone());
        parts.spawn_loop("request-nonces", async move { writes.write().await });
        parts.spawn_loop("old-nonces", async move { forgets.forget().await });
    }

    /// Uses up a nonce whose signature has held.
    ///
    /// # Errors
    /// It was used before, at whichever core; the database can't be asked.
    pub async fn take(&self, header: &SignatureHeader<'_>) -> Result<(), AccessRefusal> {
        let (answer, answered) = oneshot::channel();
        let digest = hex::encode(&Sha256::digest(header.nonce)[..16]);
        let nonce = NonceUse {
            client: header.client.to_owned(),
            nonce: digest,
            used_by: format!("{:032x}", rand::random::<u128>()),
            expires_s: header.timestamp_s + MAX_CLOCK_SKEW_S + EXPIRY_MARGIN_S,
        };
        if self
            .waiting
            .try_send(WaitingNonce { nonce, answer })
            .is_err()
        {
            let text = "Authorization: too many signed requests at a time; try again later";
            return Err(AccessRefusal::new(ApiCode::Unavailable, text));
        }
        match tokio::time::timeout(ANSWER_TIMEOUT, answered).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(AccessRefusal::unknown("this nonce was used before")),
            Ok(Err(_)) | Err(_) => {
                let text = "the database can't be reached; nothing was booked: try again later \
                            with another nonce";
                Err(AccessRefusal::new(ApiCode::Unavailable, text))
            }
        }
    }

    async fn write(&self) {
        let mut received = self.received.lock().await;
        let mut batch = Vec::with_capacity(MAX_PER_STATEMENT);
        while received.recv_many(&mut batch, MAX_PER_STATEMENT).await > 0 {
            let fresh = self.record(&batch).await;
            let Some(fresh) = fresh else {
                batch.clear();
                continue;
            };
            for waiting in batch.drain(..) {
                let counts = fresh.contains(&waiting.nonce.used_by);
                // Whoever asked may have given up.
                let _ = waiting.answer.send(counts);
            }
        }
    }

    /// Writes the nonces; returns whose request is the first of its nonce.
    async fn record(&self, batch: &[WaitingNonce]) -> Option<HashSet<String>> {
        let nonces: Vec<&NonceUse> = batch.iter().map(|w| &w.nonce).collect();
        for _ in 0..MAX_TRIES {
            let recorded = nonce_repo::record(&self.pool, &nonces);
            let recorded = tokio::time::timeout(STATEMENT_TIMEOUT, recorded).await;
            match recorded.map_err(anyhow::Error::from).flatten() {
                Ok(fresh) => return Some(fresh),
                Err(error) => tracing::warn!("nonces of requests can't be written: {error:#}"),
            }
        }
        None
    }

    async fn forget(&self) {
        loop {
            tokio::time::sleep(FORGET_INTERVAL).await;
            for _ in 0..MAX_DELETES_PER_INTERVAL {
                let forget = nonce_repo::forget(&self.pool, now_us() / 1_000_000);
                let forgotten = tokio::time::timeout(STATEMENT_TIMEOUT, forget).await;
                match forgotten.map_err(anyhow::Error::from).flatten() {
                    Ok(is_last) if !is_last => {}
                    Ok(_) => break,
                    Err(error) => {
                        tracing::debug!("old nonces are forgotten later: {error:#}");
                        break;
                    }
                }
            }
        }
    }
}
