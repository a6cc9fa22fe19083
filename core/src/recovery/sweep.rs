//! The two stages that ask no channel. Stage 1: an order that waits to be sent is
//! found again by the dispatcher's own polling; here somebody notices that it has
//! waited too long, and a case says for what. Stage 4: the end is told again until
//! the upstream says that it knows, or a case says that it never did.

use crate::dispatch::blocking_reason::blocking_reason;
use crate::guard::breakers;
use crate::metrics::METRICS;
use crate::orders::state::OrderInput;
use crate::orders::{self, OrderRef};
use crate::outcome::{OrderOutcome, OutcomeResult};
use crate::recovery::due_cursor::{DueCursor, DueOrder};
use crate::recovery::repo::DuePage;
use crate::recovery::stages::RecoveryStage;
use crate::recovery::{MAX_SILENCE, OrderRecovery, repo};
use futures_util::future::join_all;
use sluice_contract::clock::now_us;
use sluice_contract::order::OrderState;
use std::sync::Arc;
use std::time::Duration;

const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Waiting orders looked at per round, so that a hundred thousand behind a breaker
/// cost as much as a thousand.
const MAX_WAITING_PER_SWEEP: usize = 500;
/// Ends told again per round: one batch of an outcome writer for each.
const MAX_RENOTIFIED_PER_SWEEP: usize = 256;
const WAITING_STATES: [OrderState; 2] = [OrderState::Booking, OrderState::Init];

type SweepCursor = (i64, String);

impl OrderRecovery {
    pub(super) async fn sweep(self: Arc<Self>) {
        let mut cursors: [SweepCursor; 2] = Default::default();
        let mut ends = DueCursor::default();
        let beat = self.parts.heartbeat("recovery-sweep", MAX_SILENCE);
        loop {
            beat.turn();
            tokio::time::sleep(SWEEP_INTERVAL).await;
            for (state, cursor) in WAITING_STATES.into_iter().zip(&mut cursors) {
                if let Err(error) = self.open_overdue_cases(state, cursor).await {
                    tracing::warn!("can't look through waiting orders: {error:#}");
                }
            }
            if let Err(error) = self.renotify_due(&mut ends).await {
                tracing::warn!("can't look for ends that nobody acknowledged: {error:#}");
            }
        }
    }

    /// Opens cases for one page of the orders that wait to be sent.
    async fn open_overdue_cases(
        &self,
        state: OrderState,
        cursor: &mut SweepCursor,
    ) -> anyhow::Result<()> {
        let mut conn = self.pool.get_conn().await?;
        let page = repo::waiting(&mut conn, state, cursor, MAX_WAITING_PER_SWEEP).await?;
        *cursor = match page.last() {
            Some((due, at)) if page.len() == MAX_WAITING_PER_SWEEP => (*due, at.order_id.clone()),
            Some(_) | None => SweepCursor::default(),
        };
        let page: Vec<OrderRef> = page
            .into_iter()
            .map(|(_, at)| at)
            .filter(|at| !self.quarantine.holds(at))
            .collect();
        let bound = i64::try_from(self.config.unsent_case_after_ms)
            .unwrap_or(i64::MAX)
            .saturating_mul(1_000);
        let late = repo::overdue(&mut conn, &page, now_us().saturating_sub(bound)).await?;
        if late.is_empty() {
            return Ok(());
        }
        let tripped = breakers::read(&mut conn, &self.schemas).await?;
        let stalled = self.fence.stalled();
        let mut found = Vec::with_capacity(late.len());
        for at in late {
            // Read one by one: few, once each, and one that can't be read stops no other.
            match orders::repo::find(&mut conn, &at.order_id).await {
                Ok(Some(order)) => {
                    let held = self.fence.holds(&order.account_id);
                    let detail = blocking_reason(&order, stalled.as_deref(), &tripped, held);
                    found.push(OrderOutcome {
                        detail,
                        ..OrderOutcome::new(at, OrderInput::NotSent)
                    });
                }
                Ok(None) => {}
                Err(error) => self.quarantine.put(&at, "can't be read", &error).await,
            }
        }
        drop(conn);
        let opened = join_all(found.into_iter().map(|o| self.outcomes.record(o))).await;
        let opened = opened
            .into_iter()
            .filter(|t| *t == Ok(OutcomeResult::Moved))
            .count();
        METRICS
            .stages
            .results
            .with_label_values(&[RecoveryStage::Sending.as_str(), "case"])
            .inc_by(opened as u64);
        Ok(())
    }

    /// Tells one page of ends again. What can't be told is passed, and quarantined if
    /// somebody altered it: it has its case.
    async fn renotify_due(&self, cursor: &mut DueCursor) -> anyhow::Result<()> {
        let due = self.ends_due(cursor).await?;
        cursor.pass(&due, MAX_RENOTIFIED_PER_SWEEP);
        let told = join_all(due.iter().map(|DueOrder { at, .. }| {
            self.outcomes
                .record(OrderOutcome::new(at.clone(), OrderInput::AckOverdue))
        }))
        .await;
        for (DueOrder { at, .. }, told) in due.iter().zip(&told) {
            if *told == Ok(OutcomeResult::Contradiction) {
                self.quarantine.hold(at);
            }
        }
        let told = told
            .into_iter()
            .filter(|t| *t == Ok(OutcomeResult::Moved))
            .count();
        METRICS
            .stages
            .results
            .with_label_values(&[RecoveryStage::Upstream.as_str(), "notified"])
            .inc_by(told as u64);
        Ok(())
    }

    async fn ends_due(&self, cursor: &DueCursor) -> anyhow::Result<Vec<DueOrder>> {
        let mut conn = self.pool.get_conn().await?;
        let page = DuePage {
            now_us: now_us(),
            cursor,
            quarantined: &self.quarantine.ids(),
            max_orders: MAX_RENOTIFIED_PER_SWEEP,
        };
        repo::due_ack_overdue(&mut conn, page).await
    }
}
