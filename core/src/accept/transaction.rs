//! The accept transaction: keys, orders, balances, entries and a signed outbox row.
//!
//! | phase | statement | round trips |
//! |---|---|---|
//! | lock | START TRANSACTION; SELECT balances FOR UPDATE, in key order | 1 |
//! | lock | SELECT captured payments FOR UPDATE, if any is touched | 0 or 1 |
//! | read | SELECT names, once one may have been used (`known`) | 0, rarely 1 to 3 |
//! | decide | in memory (`decide`) | 0 |
//! | write | INSERTs, balances, outbox and COMMIT; ROLLBACK if nothing was accepted | 1 |
//! | publish | push to the ready queue | 0 |

use crate::accept::decide::{DecidedBatch, decide};
use crate::accept::failure::{AcceptFailure, AcceptTries, KeyLookupRequired};
use crate::accept::known::{KnownRequests, look_up};
use crate::accept::{AcceptError, AcceptResult, BookingRequest, IdempotentRequest};
use crate::balance::{self, Balance, CapturedPayment};
use crate::batch::{
    self, AccountTransaction, BatchFailure, BatchTransaction, FollowUp, LockWait, LockedAccounts,
    RetryPolicy, SpoiledItem,
};
use crate::metrics::METRICS;
use crate::ready_queue::ReadyQueue;
use crate::transaction::{Transaction, roll_back};
use crate::unit_of_work::UnitOfWork;
use sluice_contract::clock::now_us;
use sluice_contract::provenance::TransactionSigner;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{Conn, Pool};
use std::time::{Duration, Instant};

/// Keys are looked up at once for this long after a refusal: one caller's hopeless requests
/// would make every batch run twice.
const LOOK_UP_FOR: Duration = Duration::from_secs(1);

/// One writer's connection, and its memory of the batch under way.
pub struct AcceptTransaction {
    pool: Pool,
    schemas: Schemas,
    key: TransactionSigner,
    ready: ReadyQueue,
    conn: Option<Conn>,
    tries: AcceptTries,
    locked: LockedAccounts,
    /// The last refusal, which cost its batch a second try.
    refused_at: Option<Instant>,
}

impl BatchTransaction for AcceptTransaction {
    type Item = IdempotentRequest;
    type Done = AcceptResult;

    fn policy(&self) -> &'static RetryPolicy {
        &batch::policy::ACCEPT
    }

    fn begin(&mut self) {
        self.tries.begin();
    }

    async fn attempt(
        &mut self,
        requests: &[IdempotentRequest],
    ) -> anyhow::Result<Vec<AcceptResult>> {
        // A connection of its own: its transactions never wait for a pool's.
        let conn = self.pool.hold_own(&mut self.conn).await?;
        let (mut transaction, locked, captures) =
            lock(conn, &self.schemas, requests, self.tries.lock_wait).await?;
        let reads = self.tries.look_up || requests.iter().any(needs_look_up);
        let all: Vec<&IdempotentRequest> = requests.iter().collect();
        let known = if reads {
            look_up(transaction.conn(), &all).await?
        } else {
            KnownRequests::default()
        };
        let answered: Vec<Option<AcceptResult>> = all.iter().map(|r| known.answer(r)).collect();
        let fresh: Vec<&IdempotentRequest> = all
            .into_iter()
            .zip(&answered)
            .filter_map(|(request, answer)| answer.is_none().then_some(request))
            .collect();
        let now = now_us();
        let decided = decide(&fresh, locked, captures, now);
        if !reads && decided.results.iter().any(Result::is_err) {
            // A repeat of what is booked already looks like too little money. Its key
            // tells; our locks make sure that the key is seen.
            self.refused_at = Some(Instant::now());
            anyhow::bail!(KeyLookupRequired);
        }
        if reads && decided.results.iter().any(Result::is_err) {
            self.refused_at = Some(Instant::now());
        }
        if decided.keys.is_empty() {
            transaction.roll_back().await?;
        } else {
            unit_of_work(&decided)
                .commit(transaction, &self.schemas, &self.key, now)
                .await?;
        }
        self.hand_over(&decided);
        Ok(answers(answered, decided))
    }

    async fn reset(&mut self, error: &anyhow::Error) {
        if let Some(mut conn) = self.conn.take() {
            let is_usable = AcceptFailure::of(error) != AcceptFailure::InDoubt
                && roll_back(&mut conn).await.is_ok();
            self.conn = is_usable.then_some(conn);
        }
    }

    fn follow_up(&mut self, error: &anyhow::Error, attempt: u32) -> FollowUp {
        let failure = AcceptFailure::of(error);
        if failure != AcceptFailure::LookUpKeys {
            tracing::warn!(attempt, "accept transaction runs again: {error:#}");
        }
        self.tries.note(failure, self.policy(), attempt)
    }

    async fn spoiled(
        &mut self,
        _: &IdempotentRequest,
        failure: BatchFailure,
    ) -> SpoiledItem<AcceptResult> {
        SpoiledItem::Answer(Err(self.tries.refusal(&failure)))
    }
}

impl AccountTransaction for AcceptTransaction {
    fn account(request: &IdempotentRequest) -> &str {
        request.booking.account_id()
    }

    fn locked_accounts(&self) -> &LockedAccounts {
        &self.locked
    }

    fn set_lock_wait(&mut self, wait: LockWait) {
        self.tries.lock_wait = wait;
    }

    fn refuse(&mut self, _: &IdempotentRequest, failure: &BatchFailure) -> AcceptResult {
        Err(self.tries.refusal(failure))
    }
}

impl AcceptTransaction {
    pub fn new(pool: &Pool, schemas: &Schemas, key: &TransactionSigner, ready: ReadyQueue) -> Self {
        AcceptTransaction {
            pool: pool.clone(),
            schemas: schemas.clone(),
            key: key.clone(),
            ready,
            conn: None,
            tries: AcceptTries::default(),
            locked: LockedAccounts::default(),
            refused_at: None,
        }
    }

    /// Books a batch; one result for each request.
    pub async fn write(&mut self, requests: &[IdempotentRequest]) -> Vec<AcceptResult> {
        let look_up = self.refused_at.is_some_and(|at| at.elapsed() < LOOK_UP_FOR);
        self.tries = AcceptTries::new(look_up);
        batch::run_beside_locked(self, requests).await
    }

    /// Hands committed orders to the dispatcher, which need not poll for them.
    fn hand_over(&self, decided: &DecidedBatch) {
        for order in &decided.orders {
            tracing::info!(order = %order.order_id, account = %order.account_id, amount = %order.amount,
                currency = %order.currency, client = %order.client, "accepted");
            self.ready.push(order.at());
        }
        for posting in decided.postings.iter().filter(|p| p.kind.is_incoming()) {
            tracing::info!(posting = %posting.posting_id, account = %posting.account_id,
                amount = %posting.amount, currency = %posting.currency, client = %posting.client, "booked");
        }
        METRICS
            .orders
            .with_label_values(&["init"])
            .inc_by(decided.orders.len() as u64);
    }
}

/// Locks all balances of the batch in key order, then its captured payments.
async fn lock<'c>(
    conn: &'c mut Conn,
    schemas: &Schemas,
    requests: &[IdempotentRequest],
    wait: LockWait,
) -> anyhow::Result<(Transaction<'c>, Vec<Balance>, Vec<CapturedPayment>)> {
    let accounts = requests.iter().map(|r| r.booking.account_id());
    let lock_sql = wait.of(balance::repo::lock_sql(schemas, accounts));
    let (mut transaction, rows) = Transaction::begin_locking(conn, &lock_sql).await?;
    let locked = balance::repo::from_locked_rows(rows)?;
    let payments = requests
        .iter()
        .filter_map(|r| r.booking.payment())
        .collect();
    let captures =
        balance::repo::lock_captures(transaction.conn(), schemas, &payments, wait).await?;
    Ok((transaction, locked, captures))
}

/// Tells whether what is stored has to be read before the request can be decided.
pub(super) fn needs_look_up(request: &IdempotentRequest) -> bool {
    request.repeat_only || names_predecessor(request)
}

/// Tells whether the order that the request tries again has to be looked at first.
pub(super) fn names_predecessor(request: &IdempotentRequest) -> bool {
    matches!(&request.booking, BookingRequest::Withdraw(w) if w.predecessor_id.is_some())
}

/// Answers repeats from what is known, and the others as decided.
fn answers(answered: Vec<Option<AcceptResult>>, decided: DecidedBatch) -> Vec<AcceptResult> {
    let mut fresh = decided.results.into_iter();
    answered
        .into_iter()
        .map(|known| known.or_else(|| fresh.next()))
        .map(|result| result.unwrap_or(Err(AcceptError::Unavailable)))
        .collect()
}

/// Makes the unit of work of a decided batch.
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
