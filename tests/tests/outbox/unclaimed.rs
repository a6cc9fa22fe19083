//! A core without brokers beside others that have them and are all down: what they left is
//! theirs to publish, until somebody says that they won't come back.

use super::{fill, rows, until_rows, unwatched};
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_drill::stage::StageOptions;
use sluice_tests::{TestStage, options, until};

const COUNT: usize = 2_500;
const TWO_HOURS_US: i64 = 7_200_000_000;
const UNCLAIMED: &str = "sluice_core_outbox_unclaimed_rows";

/// A core without brokers; the last relay's lease ended two hours ago, and more events than a
/// page holds have waited since.
async fn left_alone(settings: &str) -> anyhow::Result<TestStage> {
    let mut set = unwatched(StageOptions {
        brokers: Some(String::new()),
        core_extra: settings.to_owned(),
        ..options()
    })
    .await?;
    set.stage.start_core().await?;
    let ended_us = now_us() - TWO_HOURS_US;
    let sql = format!(
        "REPLACE INTO {}.lease (name,owner,epoch,expires_us) VALUES ('relay','gone',7,?)",
        set.stage.schemas.guard
    );
    let mut conn = set.stage.pool.get_conn().await?;
    conn.exec_drop(sql, (ended_us,)).await?;
    fill(&set, COUNT, ended_us).await?;
    Ok(set)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cores_with_brokers_left_is_told_and_not_archived() -> anyhow::Result<()> {
    let set = left_alone("").await?;
    until(
        "the core tells of a page that nobody publishes",
        async || Ok(set.stage.core_metric(UNCLAIMED).await? == 500),
    )
    .await?;
    ensure!(rows(&set, "outbox_archive").await? == 0);
    ensure!(rows(&set, "outbox").await? == COUNT as i64);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cores_with_brokers_left_is_archived_if_they_never_come_back() -> anyhow::Result<()> {
    let set = left_alone("retention.outbox_gives_up = true").await?;
    until_rows(&set, "outbox", 0).await?;
    until_rows(&set, "outbox_archive", COUNT as i64).await?;
    ensure!(set.stage.core_metric(UNCLAIMED).await? == 0);
    Ok(())
}
