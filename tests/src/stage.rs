//! A small stage of a test's own, in a directory that goes away with it, and the checks
//! after every scenario.

use crate::{tail, top};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_core::config;
use sluice_core::guard::fence::FenceClient;
use sluice_drill::setup::MariadbOptions;
use sluice_drill::stage::{DrillStage, StageOptions};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// A stage in a directory that goes away with it.
pub struct TestStage {
    pub stage: DrillStage,
    dir: TempDir,
}

/// A small server, quick recovery, channels that behave.
pub fn options() -> StageOptions {
    sluice_contract::telemetry::install_crypto();
    StageOptions {
        rules: top().join("rules"),
        mariadb: MariadbOptions { buffer_pool_mb: 128, log_file_mb: 64, ..MariadbOptions::default() },
        core_extra: "recovery.query_initial_delay_ms = 200\nrecovery.callback_wait_ms = 1500\ndispatch.poll_interval_ms = 200".into(),
        ..StageOptions::default()
    }
}

impl TestStage {
    /// The whole stage, ready for orders.
    pub async fn up(options: StageOptions) -> anyhow::Result<TestStage> {
        let dir = tempfile::tempdir()?;
        let stage = DrillStage::up(&dir.path().join("stage"), options, &|_: &str| {}).await?;
        Ok(TestStage { stage, dir })
    }

    /// Servers and simulators only.
    pub async fn prepare(options: StageOptions) -> anyhow::Result<TestStage> {
        let dir = tempfile::tempdir()?;
        let stage = DrillStage::prepare(&dir.path().join("stage"), options, &|_: &str| {}).await?;
        Ok(TestStage { stage, dir })
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Waits until every order has ended, then checks the invariants, that
    /// nothing was found wrong, and that the sidecar has evaluated everything.
    pub async fn all_is_well(&self) -> anyhow::Result<()> {
        let left = self.stage.drain(0, Duration::from_secs(60)).await?;
        ensure!(
            left == 0,
            "{left} orders have not ended; core says: {}",
            tail(&self.stage.dir.join("core.log"))
        );
        let held = self.stage.invariants().await?;
        ensure!(
            held.all_hold(),
            "invariants are broken: {:?}",
            held.problems
        );
        let counts =
            sluice_drill::checks::counts(&self.stage.pool, &self.stage.schemas, &[]).await?;
        ensure!(
            counts.false_positives == 0,
            "{} false alarms: {:?}",
            counts.false_positives,
            self.verdicts().await?
        );
        self.histories_have_no_gap().await?;
        self.everything_is_evaluated().await
    }

    /// A token raised now passes: the sidecar has evaluated every commit before it.
    pub async fn everything_is_evaluated(&self) -> anyhow::Result<()> {
        let settings = config::FenceClientConfig {
            enabled: true,
            sidecar_url: self.stage.ports.url(self.stage.ports.sidecar),
            ..config::FenceClientConfig::default()
        };
        let parts = sluice_contract::supervisor::Supervisor::default();
        let fence = FenceClient::start(
            &parts,
            &settings,
            "check",
            &self.stage.schemas,
            (Some(self.stage.token.clone()), self.stage.key.clone()),
        )?;
        let mut conn = self.stage.pool.get_conn().await?;
        let token = fence.raise(&mut conn).await?;
        let passed = tokio::time::timeout(Duration::from_secs(30), fence.wait(token)).await;
        passed.with_context(|| format!("the fence has not passed: {:?}", fence.stalled()))?;
        Ok(())
    }

    /// `rule account item` of every verdict.
    pub async fn verdicts(&self) -> anyhow::Result<Vec<String>> {
        let mut conn = self.stage.pool.get_conn().await?;
        let sql = format!(
            "SELECT CONCAT(rule,' ',account_id,' ',item,' ',message) FROM {}.verdict ORDER BY found_us",
            self.stage.schemas.guard
        );
        Ok(conn.query(sql).await?)
    }
}
