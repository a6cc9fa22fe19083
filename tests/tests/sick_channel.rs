//! A sick channel can't slow the other: one holds every reply for 30 s, all its
//! call slots are taken and hundreds of its orders wait, and the other's orders
//! reach their ends as fast as ever.

use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_drill::channels::{ActionRates, SimulatorKind};
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::Duration;

/// Orders a second on each of the two channels.
const ORDERS_PER_S: u64 = 80;
const LOAD_TIME: Duration = Duration::from_secs(6);
/// The first orders of a fresh stage find cold caches: not measured.
const WARM_UP_TIME: Duration = Duration::from_secs(2);
const MAX_ATTEMPTS: u32 = 3;
const HOLD_MS: u64 = 30_000;
/// Any run may differ by this, as other work on the machine comes and goes.
const LATENCY_SLACK_US: u64 = 50_000;

/// Microseconds from acceptance to end of the run's orders on the healthy channel.
async fn latencies(set: &TestStage, run: &str) -> anyhow::Result<Vec<u64>> {
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!(
        "SELECT CAST(updated_us - created_us AS UNSIGNED) FROM {}.orders \
         WHERE biz_no LIKE '{run}-%' AND channel='netsunion' AND state='success' ORDER BY 1",
        set.stage.schemas.orders
    );
    Ok(conn.query(sql).await?)
}

/// Of the healthy channel: the median and the 99th percentile.
async fn run(set: &TestStage, name: &str, time: Duration) -> anyhow::Result<(u64, u64)> {
    let traffic = Traffic::new(name, 60);
    let asked = 2 * ORDERS_PER_S * time.as_secs();
    let report = traffic.open(&set.stage, 2 * ORDERS_PER_S, time).await?;
    ensure!(
        report.succeeded() == asked,
        "requests were refused: {:?}",
        report.statuses
    );
    for _ in 0..200 {
        let ended = latencies(set, name).await?;
        if ended.len() as u64 == asked / 2 {
            let at = |permille: usize| ended[(ended.len() - 1) * permille / 1_000];
            return Ok((at(500), at(990)));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!(
        "the healthy channel's orders have not ended: {} of {}",
        latencies(set, name).await?.len(),
        asked / 2
    )
}

#[allow(clippy::print_stdout)]
#[tokio::test(flavor = "multi_thread")]
async fn a_sick_channel_does_not_slow_the_other() -> anyhow::Result<()> {
    let each_channel = "deadline_ms = 35000\nconcurrency = 64\nquiet_ms = 12000".to_owned();
    let set = TestStage::up(StageOptions {
        each_channel,
        ..options()
    })
    .await?;
    Traffic::new("sick", 60).fund(&set.stage, 10_000).await?;
    run(&set, "warm", WARM_UP_TIME).await?;
    let healthy = run(&set, "well", LOAD_TIME).await?;

    let holds = ActionRates {
        timeout_without_paying: 1_000,
        hold_ms: Some(HOLD_MS),
        ..ActionRates::default()
    };
    set.stage.sims.set_rates(SimulatorKind::UnionPay, holds)?;
    // Something else may run on this machine for a moment: what is really slower is
    // slower each time.
    let mut slower = Vec::new();
    for again in 0..MAX_ATTEMPTS {
        let beside = run(&set, &format!("sick{again}"), LOAD_TIME).await?;
        println!(
            "median and 99th percentile in µs: {healthy:?} without, {beside:?} beside a sick channel"
        );
        let both = [
            ("median", beside.0, healthy.0),
            ("99th percentile", beside.1, healthy.1),
        ];
        slower = both
            .into_iter()
            .filter(|(_, with, without)| *with > 2 * without + LATENCY_SLACK_US)
            .collect();
        if slower.is_empty() {
            break;
        }
    }
    let waiting = set
        .stage
        .core_metric("sluice_core_permit_waiting_orders{channel=\"unionpay\"}")
        .await?;
    let dispatching = dispatching(&set).await?;
    ensure!(
        dispatching == 64,
        "{dispatching} calls are held, not 64: the channel was not sick"
    );
    ensure!(
        waiting > ORDERS_PER_S,
        "only {waiting} orders wait: the channel was not sick"
    );
    ensure!(
        slower.is_empty(),
        "µs beside a sick channel and without: {slower:?}"
    );

    // It recovers; what it held comes back after 30 s, unpaid, and is asked about.
    set.stage
        .sims
        .set_rates(SimulatorKind::UnionPay, ActionRates::default())?;
    set.all_is_well()
        .await
        .context("after the sick channel has recovered")
}

async fn dispatching(set: &TestStage) -> anyhow::Result<u64> {
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!(
        "SELECT COUNT(*) FROM {}.orders WHERE state='dispatching' AND channel='unionpay'",
        set.stage.schemas.orders
    );
    Ok(conn.query_first(sql).await?.unwrap_or(0))
}
