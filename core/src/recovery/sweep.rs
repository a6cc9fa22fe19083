//! The two stages that ask no channel. Stage 1: an order that waits to be sent is
//! found again by the dispatcher's own polling; here somebody notices that it has
//! waited too long, and a case says for what. Stage 4: the end is told again until
//! the upstream says that it knows, or a case says that it never did.

use super::stages::Stage;
use super::{Recovery, repo};
use crate::dispatch::waits::waits_for;
use crate::guard::breakers;
use crate::metrics::METRICS;
use crate::orders::state::Event;
use crate::orders::{self, OrderRef};
use crate::outcome::{Outcome, Taken};
use futures_util::future::join_all;
use sluice_contract::clock::now_us;
use sluice_contract::order::State;
use std::sync::Arc;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(1);
/// Waiting orders looked at per round, so that a hundred thousand behind a breaker
/// cost as much as a thousand.
const WAITING_PAGE: usize = 500;
/// Ends told again per round: one batch of an outcome lane for each.
const UNHEARD_PAGE: usize = 256;
const WAITING: [State; 2] = [State::Booking, State::Init];

type Cursor = (i64, String);

impl Recovery {
    pub(super) async fn sweep(self: Arc<Self>) {
        let mut cursors: [Cursor; 2] = Default::default();
        loop {
            tokio::time::sleep(EVERY).await;
            for (state, cursor) in WAITING.into_iter().zip(&mut cursors) {
                if let Err(error) = self.notice(state, cursor).await {
                    tracing::warn!("can't look through waiting orders: {error:#}");
                }
            }
            if let Err(error) = self.tell_again().await {
                tracing::warn!("can't look for ends that nobody heard of: {error:#}");
            }
        }
    }

    /// Opens cases for one page of the orders that wait to be sent.
    async fn notice(&self, state: State, cursor: &mut Cursor) -> anyhow::Result<()> {
        let mut conn = self.pool.get_conn().await?;
        let page = repo::waiting(&mut conn, state, cursor, WAITING_PAGE).await?;
        *cursor = match page.last() {
            Some((due, at)) if page.len() == WAITING_PAGE => (*due, at.order_id.clone()),
            _ => Cursor::default(),
        };
        let page: Vec<OrderRef> = page
            .into_iter()
            .map(|(_, at)| at)
            .filter(|at| !self.aside.holds(at))
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
                    let detail = waits_for(&order, stalled.as_deref(), &tripped, held);
                    found.push(Outcome {
                        detail,
                        ..Outcome::new(at, Event::NotSent)
                    });
                }
                Ok(None) => {}
                Err(error) => self.aside.put(&at, "can't be read", &error).await,
            }
        }
        drop(conn);
        let opened = join_all(found.into_iter().map(|o| self.outcomes.record(o))).await;
        let opened = opened
            .into_iter()
            .filter(|t| *t == Ok(Taken::Moved))
            .count();
        METRICS
            .stages
            .results
            .with_label_values(&[Stage::Sending.as_str(), "case"])
            .inc_by(opened as u64);
        Ok(())
    }

    async fn tell_again(&self) -> anyhow::Result<()> {
        let due = {
            let mut conn = self.pool.get_conn().await?;
            repo::due_unheard(&mut conn, now_us(), &self.aside.ids(), UNHEARD_PAGE).await?
        };
        let told = join_all(
            due.into_iter()
                .map(|at| self.outcomes.record(Outcome::new(at, Event::Unheard))),
        )
        .await;
        let told = told.into_iter().filter(|t| *t == Ok(Taken::Moved)).count();
        METRICS
            .stages
            .results
            .with_label_values(&[Stage::Upstream.as_str(), "notified"])
            .inc_by(told as u64);
        Ok(())
    }
}
