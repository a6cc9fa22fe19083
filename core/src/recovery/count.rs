//! Counts what stands still, for the metrics. Every instance counts the same.

use crate::cases::{self, CaseKind};
use crate::metrics::METRICS;
use crate::orders;
use crate::recovery::stages::RecoveryStage;
use crate::recovery::{OrderRecovery, repo};
use sluice_contract::clock::now_us;
use sluice_contract::order::OrderState;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const COUNT_INTERVAL: Duration = Duration::from_secs(2);
/// Counting takes at most this share of the time: with 200,000 orders waiting it took
/// 90 ms.
const COUNT_PAUSE_FACTOR: u32 = 40;

/// Of one stage: orders, when the oldest began, and when the first was due.
#[derive(Debug, Default, Clone, Copy)]
struct StageCount {
    orders: i64,
    since_us: Option<i64>,
    due_us: Option<i64>,
}

impl OrderRecovery {
    pub(super) async fn count(self: Arc<Self>) {
        loop {
            let begun = Instant::now();
            if let Err(error) = self.count_once().await {
                tracing::warn!("can't count unfinished orders: {error:#}");
            }
            tokio::time::sleep(COUNT_INTERVAL.max(begun.elapsed() * COUNT_PAUSE_FACTOR)).await;
        }
    }

    async fn count_once(&self) -> anyhow::Result<()> {
        let mut conn = self.pool.get_conn().await?;
        let rows = orders::repo::unfinished(&mut conn).await?;
        let now = now_us();
        let mut stages: BTreeMap<RecoveryStage, StageCount> = RecoveryStage::ALL
            .into_iter()
            .map(|s| (s, StageCount::default()))
            .collect();
        let mut oldest = 0;
        for state in OrderState::ALL.into_iter().filter(|s| !s.is_end()) {
            let row = rows.iter().find(|(s, ..)| s == state.as_str());
            METRICS
                .unfinished
                .with_label_values(&[state.as_str()])
                .set(row.map_or(0, |r| r.1));
            let (Some((_, orders, made, due)), Some(stage)) =
                (row, stages.get_mut(&RecoveryStage::of(state)))
            else {
                continue;
            };
            oldest = oldest.max((now - made) / 1_000_000);
            stage.orders += orders;
            stage.since_us = stage.since_us.into_iter().chain([*made]).min();
            stage.due_us = stage.due_us.into_iter().chain([*due]).min();
        }
        METRICS.oldest_unfinished.set(oldest);
        let (orders, since_us, due_us) = repo::ack_overdue(&mut conn).await?;
        stages.insert(
            RecoveryStage::Upstream,
            StageCount {
                orders,
                since_us,
                due_us,
            },
        );
        for (stage, standing) in stages {
            let seconds = |since: Option<i64>| since.map_or(0, |us| (now - us).max(0) / 1_000_000);
            METRICS
                .stages
                .orders
                .with_label_values(&[stage.as_str()])
                .set(standing.orders);
            METRICS
                .stages
                .oldest
                .with_label_values(&[stage.as_str()])
                .set(seconds(standing.since_us));
            // Stage 1 is due all the time: it waits for others, not for recovery.
            if stage != RecoveryStage::Sending {
                METRICS
                    .stages
                    .late
                    .with_label_values(&[stage.as_str()])
                    .set(seconds(standing.due_us));
            }
        }
        let open = cases::repo::count_open(&mut conn).await?;
        for kind in CaseKind::ALL {
            let count = open
                .iter()
                .find(|(k, _)| k == kind.as_str())
                .map_or(0, |(_, n)| *n);
            METRICS
                .stages
                .cases
                .with_label_values(&[kind.as_str()])
                .set(count);
        }
        Ok(())
    }
}
