//! One lane: a connection that writes accept transactions, one batch at a time.
//! While a batch commits, the next one gathers; that is the whole batching policy.

use crate::accept::decide::{DecidedBatch, decide};
use crate::accept::{
    AcceptError, AcceptResult, IdempotentRequest, PendingAccept, replay, split_books,
};
use crate::balance;
use crate::batch::BatchCollector;
use crate::config::AcceptConfig;
use crate::dispatch::ReadyQueue;
use crate::metrics::METRICS;
use crate::orders::repo;
use crate::saga::BookingSaga;
use crate::unit_of_work::UnitOfWork;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use sluice_contract::clock::now_us;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use sluice_contract::sql;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Tries of one batch before its callers are told that the database is away:
/// with the pauses below about 3 s, less than callers' usual time-outs.
pub(super) const MAX_ATTEMPTS: u32 = 8;

pub struct AcceptWriter {
    url: String,
    schemas: Schemas,
    key: Secret,
    batch: usize,
    window: Duration,
    ready: ReadyQueue,
    /// Balance and ledger are apart: bookings go through it.
    saga: Option<Arc<BookingSaga>>,
    conn: Option<Conn>,
}

/// A request was refused before its key was looked up.
#[derive(Debug, thiserror::Error)]
#[error("a request would be refused; its key has to be looked up first")]
struct KeyLookupRequired;

/// Why a batch has to run again.
pub(super) enum AcceptFailure {
    /// A key was used before, here or by another instance: look keys up first.
    LookUpKeys,
    /// Deadlock and the like: nothing was written.
    Retry,
    /// Whether the commit took place is unknown: reconnect and look keys up.
    Reconnect,
    /// The server refuses a statement for good: find the request it is about.
    Poison,
}

impl AcceptWriter {
    pub fn new(
        config: &AcceptConfig,
        url: &str,
        schemas: &Schemas,
        key: &Secret,
        ready: ReadyQueue,
        saga: Option<Arc<BookingSaga>>,
    ) -> Self {
        AcceptWriter {
            url: url.to_owned(),
            schemas: schemas.clone(),
            key: key.clone(),
            batch: config.max_batch,
            window: Duration::from_millis(config.linger_ms),
            ready,
            saga,
            conn: None,
        }
    }

    /// Serves until the stop, and until the queue is drained.
    pub async fn run(
        mut self,
        mut queue: mpsc::Receiver<PendingAccept>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut batch = Vec::with_capacity(self.batch);
        let mut gather = BatchCollector::new(self.window, stop);
        while gather.next(&mut queue, &mut batch, self.batch).await {
            METRICS.accept_batch.observe(batch.len() as f64);
            let asks: Vec<&IdempotentRequest> = batch.iter().map(|p| &p.request).collect();
            let results = match &self.saga {
                Some(saga) => split_books::book(saga, &asks).await,
                None => self.book(&asks, false).await,
            };
            for (pending, result) in batch.drain(..).zip(results) {
                // The caller may have hung up; the booking stands.
                let _ = pending.answer.send(result);
            }
        }
        Ok(())
    }

    async fn book(&mut self, asks: &[&IdempotentRequest], mut look_up: bool) -> Vec<AcceptResult> {
        // Once a commit is in doubt, nobody may be told that nothing was booked.
        let mut in_doubt = false;
        for attempt in 0..MAX_ATTEMPTS {
            let tried =
                tokio::time::timeout(sql::TRANSACTION_TIMEOUT, self.try_once(asks, look_up)).await;
            match tried.map_err(anyhow::Error::from).flatten() {
                Ok(results) => return results,
                Err(error) => {
                    let again = classify(&error);
                    if !matches!(again, AcceptFailure::LookUpKeys) {
                        tracing::warn!(attempt, "accept transaction runs again: {error:#}");
                    }
                    look_up |= !matches!(again, AcceptFailure::Retry);
                    in_doubt |= matches!(again, AcceptFailure::Reconnect);
                    self.reset(&again).await;
                    if matches!(again, AcceptFailure::Poison) {
                        return self.isolate_requests(asks, in_doubt).await;
                    }
                    tokio::time::sleep(pause(&again, attempt)).await;
                }
            }
        }
        asks.iter().map(|_| Err(AcceptError::Unavailable)).collect()
    }

    /// One request spoils the batch: each gets a transaction of its own, so that
    /// only that one fails.
    async fn isolate_requests(
        &mut self,
        asks: &[&IdempotentRequest],
        in_doubt: bool,
    ) -> Vec<AcceptResult> {
        if asks.len() == 1 {
            return vec![Err(if in_doubt {
                AcceptError::Unavailable
            } else {
                AcceptError::Unbookable
            })];
        }
        let mut results = Vec::with_capacity(asks.len());
        for ask in asks {
            results.extend(Box::pin(self.book(std::slice::from_ref(ask), true)).await);
        }
        results
    }

    /// Leaves no transaction open behind a failed try.
    async fn reset(&mut self, again: &AcceptFailure) {
        if let Some(mut conn) = self.conn.take() {
            let usable = !matches!(again, AcceptFailure::Reconnect)
                && conn.query_drop("ROLLBACK").await.is_ok();
            self.conn = usable.then_some(conn);
        }
    }

    async fn try_once(
        &mut self,
        asks: &[&IdempotentRequest],
        look_up: bool,
    ) -> anyhow::Result<Vec<AcceptResult>> {
        let conn = match &mut self.conn {
            Some(conn) => conn,
            none => none.insert(
                Conn::new(sql::options(&self.url)?.db_name(Some(&self.schemas.orders))).await?,
            ),
        };
        // Lock: all balances of the batch in key order, in one round trip with BEGIN.
        let accounts = asks.iter().map(|k| k.booking.account_id());
        let lock = format!(
            "START TRANSACTION; {}",
            balance::repo::lock_sql(&self.schemas, accounts)
        );
        let mut sets = conn.query_iter(lock).await?;
        let _: Vec<Row> = sets.collect().await?;
        let rows: Vec<Row> = sets.collect().await?;
        drop(sets);
        let locked = balance::repo::from_rows(rows)?;
        let payments = asks.iter().filter_map(|k| k.booking.payment()).collect();
        let captures = balance::repo::lock_captures(conn, &self.schemas, &payments).await?;

        // Read: keys that were used before, if there is reason to think so.
        let known = if look_up {
            let wanted: Vec<_> = asks
                .iter()
                .map(|k| (k.client.as_str(), k.key.as_str()))
                .collect();
            repo::find_keys(conn, &wanted).await?
        } else {
            Default::default()
        };
        let find = |k: &IdempotentRequest| known.get(&(k.client.clone(), k.key.clone()));
        let fresh: Vec<&IdempotentRequest> =
            asks.iter().copied().filter(|k| find(k).is_none()).collect();

        // Decide in memory, then write everything in one round trip.
        let now = now_us();
        let decided = decide(&fresh, locked, captures, now);
        if !look_up && decided.results.iter().any(Result::is_err) {
            // A repeat of what is booked already looks like too little money. Its key
            // tells; our locks make sure that the key is seen.
            anyhow::bail!(KeyLookupRequired);
        }
        if decided.keys.is_empty() {
            conn.query_drop("ROLLBACK").await?;
        } else {
            let text = unit_of_work(&decided).commit_sql(&self.schemas, &self.key, now)?;
            conn.query_drop(text).await?;
        }
        self.hand_over(&decided);
        let mut fresh_results = decided.results.into_iter();
        let result = |k: &&IdempotentRequest| match find(k) {
            Some(row) => replay(&row.request_hash, &row.order_id, &k.request_hash),
            None => fresh_results
                .next()
                .unwrap_or(Err(AcceptError::Unavailable)),
        };
        Ok(asks.iter().map(result).collect())
    }

    /// After the commit: the dispatcher need not poll for these orders.
    fn hand_over(&self, decided: &DecidedBatch) {
        for order in &decided.orders {
            tracing::info!(order = %order.order_id, account = %order.account_id, amount = %order.amount,
                currency = %order.currency, "accepted");
            self.ready.push(order.at());
        }
        METRICS
            .orders
            .with_label_values(&["init"])
            .inc_by(decided.orders.len() as u64);
    }
}

/// The transaction of a decided batch.
pub fn unit_of_work(decided: &DecidedBatch) -> UnitOfWork<'_> {
    UnitOfWork {
        keys: decided.keys.clone(),
        new_orders: decided.orders.iter().collect(),
        balances: decided.touched.iter().collect(),
        captures: decided.captures.iter().collect(),
        postings: decided.postings.clone(),
        events: decided.events.clone(),
        ..UnitOfWork::default()
    }
}

pub(super) fn classify(error: &anyhow::Error) -> AcceptFailure {
    if error.is::<KeyLookupRequired>() || error.is::<tokio::time::error::Elapsed>() {
        return if error.is::<KeyLookupRequired>() {
            AcceptFailure::LookUpKeys
        } else {
            AcceptFailure::Reconnect
        };
    }
    match error.downcast_ref::<mysql_async::Error>() {
        Some(e) if sql::is_duplicate(e) => AcceptFailure::LookUpKeys,
        Some(e) if sql::is_retryable(e) => AcceptFailure::Retry,
        Some(mysql_async::Error::Server(e))
            if !sql::is_disconnect(&mysql_async::Error::Server(e.clone())) =>
        {
            AcceptFailure::Poison
        }
        _ => AcceptFailure::Reconnect,
    }
}

pub(super) fn pause(again: &AcceptFailure, attempt: u32) -> Duration {
    match again {
        AcceptFailure::LookUpKeys | AcceptFailure::Poison => Duration::ZERO,
        AcceptFailure::Retry => Duration::from_millis(2 << attempt),
        AcceptFailure::Reconnect => Duration::from_millis(10 << attempt),
    }
}
