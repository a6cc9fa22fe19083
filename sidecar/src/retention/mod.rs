//! Retention of the guard schema: the leader deletes rows by their configured age, slice
//! after slice of time with pauses between, away from the commits. Nothing of money is here.
//!
//! | rows | stay whatever their age |
//! |---|---|
//! | `verdict` | of an open breaker, a finding at rest, a stopped account; open, with a breaker |
//! | `breaker_transition` | the last move of each breaker, and the last acceptance |
//! | `suppression` | one that is in force |
//! | `audit_run` | the last run, by which the next one is due |
//! | `dead_letter` | |
//!
//! By the newest move a seal that is put back is found (`breakers/seal.rs`).
//! Rule sets and their texts, gaps and breakers stay for good: they grow with what people
//! do, not with traffic. A sidecar that is blind deletes nothing: it may have to read again
//! what its verdicts are of, and would find them anew.

mod repo;
pub mod settings;

use crate::health::Health;
use crate::leader::guard_db::GuardDb;
use crate::retention::repo::{PurgedSlice, PurgedTable, purge_slice};
use crate::retention::settings::RetentionSettings;
use sluice_contract::clock::now_us;
use std::time::Duration;

const US_PER_DAY: i64 = 86_400_000_000;
/// Pause between two slices: retention has days, commits have milliseconds.
const SLICE_PAUSE: Duration = Duration::from_millis(100);
/// Time for one slice; what is not done then is rolled back, and done in the next round.
const SLICE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest pause before the first round of a leadership.
const FIRST_DELAY: Duration = Duration::from_secs(60);

/// The part of a leadership that deletes.
pub struct GuardRetention {
    pub db: GuardDb,
    pub health: Health,
    pub settings: RetentionSettings,
    pub epoch: i64,
}

impl GuardRetention {
    /// Goes on until it is dropped, which may happen anywhere: a slice is one transaction,
    /// and a later round deletes what an earlier one left.
    pub async fn keep(self) {
        let interval = Duration::from_secs(self.settings.interval_s);
        tokio::time::sleep(interval.min(FIRST_DELAY)).await;
        loop {
            for table in PurgedTable::ALL {
                if let Err(error) = self.purge(table).await {
                    self.health.metrics.retention.failures.inc();
                    tracing::warn!(
                        table = table.as_str(),
                        "retention goes on later (has scripts/users.sql been run since the upgrade?): {error:#}"
                    );
                }
            }
            tokio::time::sleep(interval).await;
        }
    }

    /// Deletes what may go of one table; ends early if the sidecar grows blind or the lease
    /// is lost.
    async fn purge(&self, table: PurgedTable) -> anyhow::Result<()> {
        let Some(days) = i64::try_from(self.days(table)).ok().filter(|d| *d > 0) else {
            return Ok(());
        };
        let before_us = now_us() - days * US_PER_DAY;
        let deleted_rows = &self.health.metrics.retention.deleted;
        let deleted_rows = deleted_rows.with_label_values(&[table.as_str()]);
        let mut from_us = 0;
        while from_us < before_us && self.health.blind.reason().is_none() {
            let slice = purge_slice(&self.db, self.epoch, table, (from_us, before_us));
            match tokio::time::timeout(SLICE_TIMEOUT, slice).await?? {
                PurgedSlice::LeaseLost => return Ok(()),
                PurgedSlice::Until { deleted, until_us } => {
                    deleted_rows.inc_by(deleted);
                    from_us = until_us;
                }
            }
            tokio::time::sleep(SLICE_PAUSE).await;
        }
        Ok(())
    }

    fn days(&self, table: PurgedTable) -> u64 {
        match table {
            PurgedTable::Verdict => self.settings.verdict_days,
            PurgedTable::BreakerTransition => self.settings.breaker_transition_days,
            PurgedTable::Suppression => self.settings.suppression_days,
            PurgedTable::AuditRun => self.settings.audit_run_days,
            PurgedTable::DeadLetter => self.settings.dead_letter_days,
        }
    }
}
