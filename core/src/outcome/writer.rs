//! One lane: a connection that writes outcomes, one batch at a time.

use crate::balance::{self, Balance, CapturedPayment};
use crate::batch::BatchCollector;
use crate::cases::CaseKind;
use crate::dispatch::ReadyQueue;
use crate::metrics::METRICS;
use crate::orders::OrderRef;
use crate::orders::repo::{self, Attempt};
use crate::outcome::apply::{AppliedOutcomes, AttemptChange, apply, settle};
use crate::outcome::{
    MAX_OUTCOMES_PER_BATCH, OrderOutcome, OutcomeDelays, OutcomeNotRecorded, OutcomeResult,
    PendingOutcome,
};
use crate::routing;
use crate::routing::totals::{LimitTotal, LimitTotals, LimitUsage};
use crate::saga::SagaFollower;
use crate::unit_of_work::UnitOfWork;
use anyhow::Context;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Pool};
use sluice_contract::clock::now_us;
use sluice_contract::order::OrderState;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use sluice_contract::sql;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Shortest time between two batches of a lane.
const BATCH_INTERVAL: Duration = Duration::from_millis(8);
/// Tries of one batch; what is left then, recovery asks for again.
const MAX_ATTEMPTS: u32 = 8;

pub struct OutcomeWriter {
    pub pool: Pool,
    pub schemas: Schemas,
    pub key: Secret,
    pub waits: OutcomeDelays,
    pub ready: ReadyQueue,
    /// Balance and ledger are apart: it drives the bookings after the commit.
    pub follower: Option<SagaFollower>,
    pub conn: Option<Conn>,
}

impl OutcomeWriter {
    /// Serves until the stop, and until the queue is drained.
    pub async fn run(
        mut self,
        mut queue: mpsc::Receiver<PendingOutcome>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut batch = Vec::with_capacity(MAX_OUTCOMES_PER_BATCH);
        let mut gather = BatchCollector::new(BATCH_INTERVAL, stop);
        while gather
            .next(&mut queue, &mut batch, MAX_OUTCOMES_PER_BATCH)
            .await
        {
            let outcomes: Vec<&OrderOutcome> = batch.iter().map(|p| &p.outcome).collect();
            let taken = self.record(&outcomes).await;
            for (pending, taken) in batch.drain(..).zip(taken) {
                // The one who asked may be gone; the outcome stands.
                let _ = pending.answer.send(taken);
            }
        }
        Ok(())
    }

    async fn record(
        &mut self,
        outcomes: &[&OrderOutcome],
    ) -> Vec<Result<OutcomeResult, OutcomeNotRecorded>> {
        for attempt in 0..MAX_ATTEMPTS {
            let tried =
                tokio::time::timeout(sql::TRANSACTION_TIMEOUT, self.try_once(outcomes)).await;
            match tried.map_err(anyhow::Error::from).flatten() {
                Ok(taken) => return taken.into_iter().map(Ok).collect(),
                Err(error) => {
                    tracing::warn!(attempt, "outcome transaction runs again: {error:#}");
                    // A connection in doubt is dropped: the pool resets it, which
                    // rolls back. A repeat finds out by the orders' states.
                    self.conn = None;
                    let passing = sql::is_transient(&error);
                    if !passing && outcomes.len() > 1 {
                        return self.isolate_outcomes(outcomes).await;
                    }
                    if !passing {
                        // Trying again changes nothing; neighbours need not wait.
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(5 << attempt)).await;
                }
            }
        }
        outcomes.iter().map(|_| Err(OutcomeNotRecorded)).collect()
    }

    /// One outcome spoils the batch (its money isn't where it should be): each
    /// gets a transaction of its own, so that only that one waits for a person.
    async fn isolate_outcomes(
        &mut self,
        outcomes: &[&OrderOutcome],
    ) -> Vec<Result<OutcomeResult, OutcomeNotRecorded>> {
        let mut all = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            all.extend(Box::pin(self.record(std::slice::from_ref(outcome))).await);
        }
        all
    }

    async fn try_once(&mut self, outcomes: &[&OrderOutcome]) -> anyhow::Result<Vec<OutcomeResult>> {
        let conn = match &mut self.conn {
            Some(conn) => conn,
            none => none.insert(self.pool.get_conn().await?),
        };
        // Lock orders, decide, lock balances, decide, write.
        conn.query_drop("START TRANSACTION").await?;
        let orders = repo::lock(conn, outcomes.iter().map(|o| &o.at)).await?;
        let now = now_us();
        let applied = apply(outcomes, orders, &self.waits, now);
        if applied.moved.is_empty() && applied.cases.is_empty() {
            conn.query_drop("ROLLBACK").await?;
            return Ok(applied.taken);
        }
        // Together the books change here; apart, what they shall become is written down.
        let apart = self
            .follower
            .as_ref()
            .map(|follower| (follower, applied.intents(now)));
        let (balances, captures) = match apart {
            Some(_) => Default::default(),
            None => lock_and_settle(conn, &self.schemas, &applied).await?,
        };
        let totals = free(conn, &applied).await?;
        let mut unit_of_work = unit_of_work(&applied, &balances, &captures, totals);
        if let Some((_, intents)) = &apart {
            unit_of_work.postings.clear();
            unit_of_work.intents.clone_from(intents);
        }
        // The time is read again behind the locks: entries of one account are in the
        // order of their commits, so that who reads them by time misses none.
        conn.query_drop(unit_of_work.commit_sql(&self.schemas, &self.key, now_us())?)
            .await?;
        if let Some((follower, intents)) = apart {
            follower.follow(intents);
        }
        self.after_commit(&applied);
        Ok(applied.taken)
    }

    fn after_commit(&self, applied: &AppliedOutcomes) {
        for moved in applied.moves.iter().filter(|m| m.from != m.to) {
            tracing::info!(order = %moved.order_id, account = %moved.account_id, state = moved.to.as_str(),
                code = moved.code.as_deref().unwrap_or("-"), "moved");
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

/// Locks the balances and payments that the moves touch, and changes them in memory.
async fn lock_and_settle(
    conn: &mut Conn,
    schemas: &Schemas,
    applied: &AppliedOutcomes,
) -> anyhow::Result<(Vec<Balance>, Vec<CapturedPayment>)> {
    let mut locked: Vec<Balance> = Vec::new();
    if !applied.bookings.is_empty() {
        let accounts = applied.accounts();
        let text = balance::repo::lock_sql(schemas, accounts.iter().copied());
        locked = balance::repo::from_rows(conn.query(text).await?)?;
    }
    let captures = balance::repo::lock_captures(conn, schemas, &applied.payments()).await?;
    settle(applied, locked, captures)
}

/// Gives back what failed and returned orders took of cumulative totals. The locks
/// come after those of balances and captures.
async fn free(conn: &mut Conn, applied: &AppliedOutcomes) -> anyhow::Result<Vec<LimitTotal>> {
    let taken: Vec<&LimitUsage> = applied.freed.values().collect();
    if taken.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: BTreeSet<_> = taken.iter().flat_map(|t| t.keys.iter().cloned()).collect();
    let stored = routing::repo::lock_totals(conn, &wanted).await?;
    let mut totals = LimitTotals::new(wanted, stored);
    for taking in taken {
        totals
            .give_back(&taking.keys, taking.amount)
            .with_context(|| format!("order {}", taking.order_id))?;
    }
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
