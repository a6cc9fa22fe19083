//! The outcome transaction.
//!
//! | phase | statement | round trips |
//! |---|---|---|
//! | begin | START TRANSACTION | 1 |
//! | lock | SELECT orders FOR UPDATE, by order id | 1 |
//! | decide | in memory (`apply`); ROLLBACK if nothing changes | 0 or 1 |
//! | lock | balances, captured payments, cumulative totals, each if touched | 0 to 3 |
//! | decide | in memory (`settle`) | 0 |
//! | write | orders, attempts, history, books, outbox and COMMIT | 1 |
//! | publish | ready queue, saga's follower, metrics | 0 |

use crate::balance::{self, Balance, CapturedPayment};
use crate::batch::{
    self, AccountTransaction, BatchFailure, BatchTransaction, FollowUp, LockWait, LockedAccounts,
    RetryPolicy, SpoiledItem,
};
use crate::cases::CaseKind;
use crate::metrics::METRICS;
use crate::orders::repo::{self, Attempt};
use crate::orders::{Order, OrderRef, OrderSeals};
use crate::outcome::apply::{
    AppliedOutcomes, AttemptChange, OutcomeDelays, apply, give_back, settle,
};
use crate::outcome::following::follow;
use crate::outcome::report::{OrderOutcome, OutcomeNotRecorded, OutcomeResult};
use crate::ready_queue::ReadyQueue;
use crate::routing::limits::{self, LimitTotal, LimitTotals, LimitUsage};
use crate::saga::SagaFollower;
use crate::transaction::Transaction;
use crate::unit_of_work::UnitOfWork;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::order::OrderState;
use sluice_contract::provenance::TransactionSigner;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{Conn, Pool};
use std::collections::BTreeSet;

/// One writer's connection, and what its transactions need.
pub struct OutcomeTransaction {
    pub pool: Pool,
    pub schemas: Schemas,
    pub key: TransactionSigner,
    /// Checks that rows are as the core wrote them.
    pub seals: OrderSeals,
    pub delays: OutcomeDelays,
    pub ready: ReadyQueue,
    /// Drives the bookings after the commit, if balance and ledger are on servers of
    /// their own.
    pub follower: Option<SagaFollower>,
    pub conn: Option<Conn>,
    pub locked: LockedAccounts,
    /// Patience of the next try with locks.
    pub lock_wait: LockWait,
}

impl OutcomeTransaction {
    /// Records a batch; one result for each outcome.
    pub async fn write(
        &mut self,
        outcomes: &[OrderOutcome],
    ) -> Vec<Result<OutcomeResult, OutcomeNotRecorded>> {
        batch::run_beside_locked(self, outcomes).await
    }

    /// Tells of the moves, once they are committed.
    fn after_commit(&self, applied: &AppliedOutcomes) {
        for moved in applied.moves.iter().filter(|m| m.from != m.to) {
            let order = applied.orders.get(&moved.order_id);
            tracing::info!(order = %moved.order_id, account = %moved.account_id, state = moved.to.as_str(),
                code = moved.code.as_deref().unwrap_or("-"),
                correlation = order.map_or("-", Order::correlation), "moved");
            METRICS.orders.with_label_values(&[moved.to.as_str()]).inc();
            if moved.to == OrderState::Init {
                self.ready
                    .push(OrderRef::new(&moved.account_id, &moved.order_id));
            }
        }
        for case in applied
            .cases
            .iter()
            .filter(|c| c.kind == CaseKind::Contradiction)
        {
            METRICS.contradictions.inc();
            tracing::error!(order = %case.order_id, account = %case.account_id, "contradiction: {}", case.detail);
        }
    }
}

impl BatchTransaction for OutcomeTransaction {
    type Item = OrderOutcome;
    type Done = Result<OutcomeResult, OutcomeNotRecorded>;

    fn policy(&self) -> &'static RetryPolicy {
        &batch::policy::OUTCOME
    }

    async fn attempt(&mut self, outcomes: &[OrderOutcome]) -> anyhow::Result<Vec<Self::Done>> {
        let conn = self.pool.hold(&mut self.conn).await?;
        let mut transaction = Transaction::begin(conn).await?;
        let mut orders = repo::lock(
            transaction.conn(),
            outcomes.iter().map(|o| &o.at),
            self.lock_wait,
        )
        .await?;
        let altered = self.seals.take_altered(&mut orders);
        let now = now_us();
        let mut applied = apply(outcomes, orders, &self.delays, now);
        applied.refuse_altered(outcomes, &altered);
        if applied.moved.is_empty() && applied.cases.is_empty() {
            transaction.roll_back().await?;
            follow(outcomes, &applied, now);
            return Ok(applied.taken.into_iter().map(Ok).collect());
        }
        // On one server the books change here; else what they shall become is written down.
        let split = self
            .follower
            .as_ref()
            .map(|follower| (follower, applied.intents(now)));
        let (balances, captures) = match split {
            Some(_) => Default::default(),
            None => {
                let wait = self.lock_wait;
                lock_and_settle(transaction.conn(), &self.schemas, &applied, wait).await?
            }
        };
        let totals = free_limits(
            transaction.conn(),
            &self.seals,
            &mut applied,
            self.lock_wait,
        )
        .await?;
        let mut unit_of_work = unit_of_work(&applied, &balances, &captures, totals);
        if let Some((_, intents)) = &split {
            unit_of_work.postings.clear();
            unit_of_work.intents.clone_from(intents);
        }
        // The time is read again behind the locks: entries of one account are in the
        // order of their commits, so that who reads them by time misses none.
        unit_of_work
            .commit(transaction, &self.schemas, &self.key, now_us())
            .await?;
        if let Some((follower, intents)) = split {
            follower.follow(intents);
        }
        self.after_commit(&applied);
        follow(outcomes, &applied, now);
        Ok(applied.taken.into_iter().map(Ok).collect())
    }

    /// Drops a connection in doubt: the pool resets it, which rolls back. A repeat finds
    /// out by the orders' states.
    async fn reset(&mut self, _: &anyhow::Error) {
        self.conn = None;
    }

    fn follow_up(&mut self, error: &anyhow::Error, attempt: u32) -> FollowUp {
        tracing::warn!(attempt, "outcome transaction runs again: {error:#}");
        self.lock_wait.follow_up(error, self.policy(), attempt)
    }

    /// Leaves an outcome whose money isn't where it should be to a person.
    async fn spoiled(&mut self, _: &OrderOutcome, _: BatchFailure) -> SpoiledItem<Self::Done> {
        SpoiledItem::Answer(Err(OutcomeNotRecorded))
    }
}

impl AccountTransaction for OutcomeTransaction {
    fn account(outcome: &OrderOutcome) -> &str {
        &outcome.at.account_id
    }

    fn locked_accounts(&self) -> &LockedAccounts {
        &self.locked
    }

    fn set_lock_wait(&mut self, wait: LockWait) {
        self.lock_wait = wait;
    }

    fn refuse(&mut self, _: &OrderOutcome, _: &BatchFailure) -> Self::Done {
        Err(OutcomeNotRecorded)
    }
}

/// Locks the balances and payments that the moves touch, and changes them in memory.
async fn lock_and_settle(
    conn: &mut Conn,
    schemas: &Schemas,
    applied: &AppliedOutcomes,
    wait: LockWait,
) -> anyhow::Result<(Vec<Balance>, Vec<CapturedPayment>)> {
    let mut locked: Vec<Balance> = Vec::new();
    if !applied.bookings.is_empty() {
        let accounts = applied.accounts();
        let text = wait.of(balance::repo::lock_sql(schemas, accounts.iter().copied()));
        locked = balance::repo::from_locked_rows(conn.query(text).await?)?;
    }
    let captures = balance::repo::lock_captures(conn, schemas, &applied.payments(), wait).await?;
    settle(applied, locked, captures)
}

/// Gives back what failed and returned orders took of cumulative totals. The locks
/// come after those of balances and captures. A total that has less than that is a case:
/// it never keeps the money.
async fn free_limits(
    conn: &mut Conn,
    seals: &OrderSeals,
    applied: &mut AppliedOutcomes,
    wait: LockWait,
) -> anyhow::Result<Vec<LimitTotal>> {
    let taken: Vec<&LimitUsage> = applied.freed.values().collect();
    if taken.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: BTreeSet<_> = taken.iter().flat_map(|t| t.keys.iter().cloned()).collect();
    let stored = limits::repo::lock_totals(conn, seals, &wanted, wait).await?;
    let mut totals = LimitTotals::new(wanted, stored);
    let cases = give_back(&mut totals, &applied.freed, &applied.orders);
    applied.cases.extend(cases);
    Ok(totals.touched())
}

fn unit_of_work<'a>(
    applied: &'a AppliedOutcomes,
    balances: &'a [Balance],
    captures: &'a [CapturedPayment],
    totals: Vec<LimitTotal>,
) -> UnitOfWork<'a> {
    let attempt = |(id, now): (&'a String, &'a AttemptChange)| {
        let order = applied.orders.get(id)?;
        Some(Attempt {
            order,
            channel: &now.channel,
            state: now.state,
            live: now.live,
        })
    };
    UnitOfWork {
        moved_orders: applied
            .moved
            .iter()
            .filter_map(|id| applied.orders.get(id))
            .collect(),
        attempts: applied.attempts.iter().filter_map(attempt).collect(),
        balances: balances.iter().collect(),
        moves: applied.moves.clone(),
        captures: captures.iter().collect(),
        postings: applied.bookings.iter().map(|b| b.posting.clone()).collect(),
        totals,
        cases: applied.cases.clone(),
        closings: applied.closings.clone(),
        events: applied.events.clone(),
        ..UnitOfWork::default()
    }
}
