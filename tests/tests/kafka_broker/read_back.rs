//! Kafka is read back as far as pairs need.

use crate::kafka_broker::{WAIT_TIMEOUT, up};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_drill::stage::traffic::Traffic;
use std::time::Duration;

/// Only a real broker knows when something was published.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_checkpoint_kafka_is_read_back_as_far_as_pairs_need() -> anyhow::Result<()> {
    let (mut set, _broker, _dir) = up().await?;
    let before = Traffic::new("before", 40);
    before.fund(&set.stage, 1_000).await?;
    set.everything_is_evaluated().await?;
    let mut sidecar = set
        .stage
        .sidecar
        .take()
        .context("the stage has a sidecar")?;
    sidecar.kill9()?;
    // Told and booked while nobody looks; both are read only afterwards.
    Traffic::new("blind", 40).fund(&set.stage, 500).await?;
    let mut conn = set.stage.pool.get_conn().await?;
    std::fs::remove_dir_all(set.stage.dir.join("state"))?;
    conn.query_drop(format!(
        "DELETE FROM {}.checkpoint WHERE source='kafka'",
        set.stage.schemas.guard
    ))
    .await?;
    sidecar.restart()?;
    sidecar
        .wait_ready(
            &set.stage.ports.address(set.stage.ports.sidecar),
            WAIT_TIMEOUT,
        )
        .await?;
    set.stage.sidecar = Some(sidecar);
    set.stage.wait_for_fence().await?;
    // Longer than any pair of the shipped rules may take.
    before.open(&set.stage, 50, Duration::from_secs(7)).await?;
    set.everything_is_evaluated().await?;
    // Nobody is accused but whoever took the row away.
    let mut others: Vec<String> = set.verdicts().await?;
    others.retain(|said| !said.starts_with("guard_row  checkpoint"));
    ensure!(others.is_empty(), "{others:#?}");
    Ok(())
}
