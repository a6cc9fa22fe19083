//! A sidecar that can't see is blind, and never ready.

use anyhow::ensure;
use mysql_async::prelude::Queryable;
use sluice_drill::setup::MariadbOptions;
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn wrong_binlog_settings_are_blind_and_named() -> anyhow::Result<()> {
    let base = options();
    let mariadb = MariadbOptions {
        extra: vec!["--binlog-row-image=MINIMAL".into()],
        ..base.mariadb.clone()
    };
    let mut set = TestStage::prepare(StageOptions { mariadb, ..base }).await?;
    set.stage.start_core().await?;
    let address = set.stage.ports.address(set.stage.ports.sidecar);
    let (started, seen) = tokio::join!(
        tokio::time::timeout(Duration::from_secs(6), set.stage.start_sidecar()),
        async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            sluice_drill::load::http::get(&address, "/ready").await
        }
    );
    ensure!(
        !matches!(started, Ok(Ok(()))),
        "the sidecar calls itself ready"
    );
    let (status, body) = seen?;
    ensure!(status == 503, "{status}");
    let body = String::from_utf8_lossy(&body).into_owned();
    ensure!(body.contains("binlog_row_image"), "{body}");
    Ok(())
}

/// A sidecar does not know yet where it begins on Kafka: an event that is published now would be
/// missed, and its booking called a booking without a payment.
#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_that_has_not_begun_to_read_is_never_ready() -> anyhow::Result<()> {
    let mut set = TestStage::prepare(options()).await?;
    set.stage.start_core().await?;
    let guard = set.stage.schemas.guard.clone();
    let (mut locks, mut looks) = (
        set.stage.pool.get_conn().await?,
        set.stage.pool.get_conn().await?,
    );
    locks
        .query_drop(format!("LOCK TABLES {guard}.checkpoint WRITE"))
        .await?;
    let held = async {
        let begun = Instant::now();
        let owner = format!("SELECT owner FROM {guard}.lease WHERE expires_us>0");
        while looks.query_first::<String, _>(&owner).await?.is_none() {
            ensure!(
                begun.elapsed() < Duration::from_secs(20),
                "the sidecar never took the lease"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // It stands at its checkpoint, and is asked whether it is ready all the time.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let unlocked = Instant::now();
        locks.query_drop("UNLOCK TABLES").await?;
        Ok(unlocked)
    };
    let started = async {
        set.stage.start_sidecar().await?;
        anyhow::Ok(Instant::now())
    };
    let (unlocked, ready) = tokio::try_join!(held, started)?;
    ensure!(ready > unlocked, "ready before it had read where to begin");
    set.stage.wait_for_fence().await?;
    Traffic::new("begin", 5).fund(&set.stage, 100).await?;
    set.all_is_well().await
}
