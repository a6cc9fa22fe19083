//! Watch of the database: `/ready` says no while it can't be written, or while this host's
//! clock and the database's differ. A clock that stays wrong ends the core: every due time,
//! lease, trade time and entry is stamped by it.

use crate::guard::probe::{self, ClockSkew};
use crate::metrics::METRICS;
use anyhow::bail;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::Pool;
use sluice_contract::supervisor::Supervisor;
use sluice_contract::telemetry::Readiness;
use std::time::Duration;

const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Longest time for one look, the wait for a connection included.
const LOOK_TIMEOUT: Duration = Duration::from_secs(4);
/// Looks in a row that must find the clock wrong: one may be a step that is under way.
const WRONG_LOOKS_TO_END: u32 = 3;

/// Looks at the orders' database for as long as the core runs.
pub(super) struct DatabaseWatch {
    pub pool: Pool,
    pub schemas: Schemas,
    /// Name of this instance: two write no row together.
    pub name: String,
    pub readiness: Readiness,
    pub max_skew_us: i64,
}

/// The library repeats the text of a connection's error on each level.
fn in_words(error: &anyhow::Error) -> String {
    match error.downcast_ref::<mysql_async::Error>() {
        Some(mysql_async::Error::Io(_)) => error.root_cause().to_string(),
        Some(_) | None => format!("{error:#}"),
    }
}

impl DatabaseWatch {
    /// Waits until the clock is right: before that nothing is stamped.
    pub async fn clock_is_right(&self) {
        while self
            .look()
            .await
            .is_none_or(|skew| skew.is_beyond(self.max_skew_us))
        {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    pub fn start(self, parts: &Supervisor) {
        let stop = parts.stop_token();
        parts.spawn("database-watch", async move {
            stop.run_until_cancelled_owned(self.run())
                .await
                .unwrap_or(Ok(()))
        });
    }

    async fn run(self) -> anyhow::Result<()> {
        let mut wrong_looks = 0;
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            // What can't be read says nothing of the clock.
            let Some(skew) = self.look().await else {
                continue;
            };
            if !skew.is_beyond(self.max_skew_us) {
                wrong_looks = 0;
                continue;
            }
            wrong_looks += 1;
            if wrong_looks == WRONG_LOOKS_TO_END {
                bail!(self.wrong_clock(skew));
            }
        }
    }

    /// Looks once and tells readiness; `None` if the database can't be written.
    async fn look(&self) -> Option<ClockSkew> {
        let looked = probe::look(&self.pool, &self.schemas, &self.name);
        let seen = match tokio::time::timeout(LOOK_TIMEOUT, looked).await {
            Ok(seen) => seen,
            Err(_) => Err(anyhow::anyhow!(
                "the database did not answer within {LOOK_TIMEOUT:?}"
            )),
        };
        let reason = seen.as_ref().err().map(in_words);
        if let Some(reason) = &reason {
            tracing::warn!("the database isn't ready: {reason}");
        }
        self.readiness.set("database", reason);
        let skew = seen.ok()?;
        METRICS.clock_skew.set(skew.ahead_us / 1_000);
        let wrong = skew
            .is_beyond(self.max_skew_us)
            .then(|| self.wrong_clock(skew));
        self.readiness.set("clock", wrong);
        Some(skew)
    }

    fn wrong_clock(&self, skew: ClockSkew) -> String {
        format!(
            "the database's clock is {} ms ahead of this host's, mysql.max_clock_skew_ms is {}: set the clocks by one \
             time source (chronyc tracking on both hosts)",
            skew.ahead_us / 1_000,
            self.max_skew_us / 1_000
        )
    }
}
