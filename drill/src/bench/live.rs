//! The live half: accepting at saturation, accepting at a rate, whole lifecycles,
//! and faults under load, on the running system.

use crate::bench::machine::rss_mb;
use crate::bench::{ResidentMemory, hot_account, rule_edits};
use crate::faults::signed;
use crate::load::{ClosedLoad, LoadEnd, closed};
use crate::output::latency::LatencyMs;
use crate::output::progress::ProgressDisplay;
use crate::stage::traffic::{REQUEST_TIMEOUT, Traffic};
use crate::stage::{DrillStage, fence_probe};
use anyhow::{Context, ensure};
use hdrhistogram::Histogram;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

pub(super) const ACCOUNT_COUNT: u64 = 2_000;
pub(super) const MONEY_PER_ACCOUNT: u64 = 10_000_000;
/// Connections that saturate accepting: more only wait longer.
const SATURATING_CONNECTIONS: usize = 256;
const SATURATION_TIME: Duration = Duration::from_secs(8);
const STEADY_LOAD_TIME: Duration = Duration::from_secs(12);
/// Offered orders a second of whole lifecycles: above what must be reached.
const OFFERED_PER_S: u64 = 2_000;
const LIFECYCLE_TIME: Duration = Duration::from_secs(16);
/// Left out at both ends of the lifecycle run: the pipeline fills and drains.
const UNMEASURED_EDGE: Duration = Duration::from_secs(3);
const FAULT_COUNT: u64 = 150;
/// Orders a second beside which the fence is timed.
pub(super) const FENCE_LOAD_PER_S: u64 = 500;
const FENCE_LOAD_TIME: Duration = Duration::from_secs(14);

pub struct LiveFigures {
    pub accept_per_s: u64,
    pub accept: LatencyMs,
    pub hot_account_per_s: u64,
    pub lifecycle_per_s: u64,
    pub detect: LatencyMs,
    pub fence: LatencyMs,
    pub edit: LatencyMs,
    pub rss: ResidentMemory,
}

pub async fn measure(
    stage: &mut DrillStage,
    progress: &ProgressDisplay,
) -> anyhow::Result<LiveFigures> {
    start(stage, progress).await?;
    let accept = accept_steadily(stage, progress).await?;
    let lifecycle_per_s = lifecycles(stage, progress, "life").await?;
    let pids = (
        stage.core.as_ref().context("core")?.pid(),
        stage.sidecar.as_ref().context("sidecar")?.pid(),
    );
    let rss = ResidentMemory {
        core: rss_mb(pids.0),
        sidecar: rss_mb(pids.1),
    };

    let (detect, fence) = faults_under_load(stage, progress).await?;
    let edit = rule_edits::measure(stage, progress, ACCOUNT_COUNT).await?;
    let accept_per_s = saturate(stage, progress).await?;
    let hot_account_per_s = hot_account::measure(stage, progress).await?;
    Ok(LiveFigures {
        accept_per_s,
        accept,
        hot_account_per_s,
        lifecycle_per_s,
        detect,
        fence,
        edit,
        rss,
    })
}

/// Starts both programs and funds the accounts.
pub(super) async fn start(
    stage: &mut DrillStage,
    progress: &ProgressDisplay,
) -> anyhow::Result<()> {
    stage.start_core().await?;
    stage.start_sidecar().await?;
    stage.wait_for_fence().await?;
    progress.step("giving accounts money");
    let fund = Traffic::new("fund", ACCOUNT_COUNT);
    fund.fund(stage, MONEY_PER_ACCOUNT).await
}

/// The fence's delay beside a steady load.
pub(super) async fn fence(stage: &DrillStage, load: &Traffic) -> anyhow::Result<LatencyMs> {
    let stop = CancellationToken::new();
    let (loaded, fence) = tokio::join!(
        async {
            let report = load.open(stage, FENCE_LOAD_PER_S, FENCE_LOAD_TIME).await;
            stop.cancel();
            report
        },
        fence_probe::fence(stage, Duration::from_millis(20), stop.clone())
    );
    loaded?;
    Ok(LatencyMs::of(&fence?))
}

/// Latencies of accepting at a rate that the core can keep.
async fn accept_steadily(
    stage: &DrillStage,
    progress: &ProgressDisplay,
) -> anyhow::Result<LatencyMs> {
    progress.step("accepting at 1,000/s, everything on");
    let steady = Traffic::new("steady", ACCOUNT_COUNT);
    let report = steady.open(stage, 1_000, STEADY_LOAD_TIME).await?;
    ensure!(
        report.succeeded() == report.answered(),
        "steady load was refused: {:?}",
        report.statuses
    );
    let accept = LatencyMs::of(&report.latency);
    progress.done(&format!(
        "accept at 1,000/s: p50 {} ms, p99 {} ms",
        accept.p50, accept.p99
    ));
    stage.drain(0, Duration::from_secs(30)).await?;
    Ok(accept)
}

/// From a fault's commit to the open breaker, and the fence's delay, both under load.
async fn faults_under_load(
    stage: &DrillStage,
    progress: &ProgressDisplay,
) -> anyhow::Result<(LatencyMs, LatencyMs)> {
    progress.step("faults at 500/s: commit to open breaker");
    let beside = Traffic::new("beside", ACCOUNT_COUNT);
    let stop = CancellationToken::new();
    let (load, detect, fence) = tokio::join!(
        beside.open(stage, FENCE_LOAD_PER_S, FENCE_LOAD_TIME),
        async {
            let detect = faults(stage).await;
            stop.cancel();
            detect
        },
        fence_probe::fence(stage, Duration::from_millis(20), stop.clone())
    );
    load?;
    let (detect, fence) = (LatencyMs::of(&detect?), LatencyMs::of(&fence?));
    progress.done(&format!(
        "commit to open breaker: p50 {} ms, p99 {} ms",
        detect.p50, detect.p99
    ));
    progress.done(&format!(
        "the fence adds: p50 {} ms, p99 {} ms",
        fence.p50, fence.p99
    ));
    Ok((detect, fence))
}

/// Orders a second from acceptance to their end, in the middle of a steady run.
pub(super) async fn lifecycles(
    stage: &DrillStage,
    progress: &ProgressDisplay,
    name: &str,
) -> anyhow::Result<u64> {
    const ENDED_ORDERS_METRIC: &str = "sluice_core_orders_total{state=\"success\"}";
    progress.step(&format!(
        "whole lifecycles, {OFFERED_PER_S}/s offered, sidecar and rules on"
    ));
    let traffic = Traffic::new(name, ACCOUNT_COUNT);
    let counted = async {
        // Telling the events comes first: wait until orders are coming in.
        let before = stage.core_metric(ENDED_ORDERS_METRIC).await?;
        while stage.core_metric(ENDED_ORDERS_METRIC).await? < before + OFFERED_PER_S / 4 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(UNMEASURED_EDGE).await;
        let (from, begun) = (
            stage.core_metric(ENDED_ORDERS_METRIC).await?,
            Instant::now(),
        );
        tokio::time::sleep(LIFECYCLE_TIME - UNMEASURED_EDGE - UNMEASURED_EDGE).await;
        let ended = stage.core_metric(ENDED_ORDERS_METRIC).await? - from;
        anyhow::Ok(u64::try_from(
            u128::from(ended) * 1_000 / begun.elapsed().as_millis(),
        )?)
    };
    let (report, per_s) = tokio::join!(traffic.open(stage, OFFERED_PER_S, LIFECYCLE_TIME), counted);
    let (report, per_s) = (report?, per_s?);
    ensure!(
        report.succeeded() == report.answered(),
        "lifecycle load was refused: {:?}",
        report.statuses
    );
    let left = stage.drain(0, Duration::from_secs(60)).await?;
    ensure!(left == 0, "{left} orders have not ended");
    let held = stage.invariants().await?;
    ensure!(
        held.all_hold(),
        "invariants are broken: {:?}",
        held.problems
    );
    progress.done(&format!("lifecycles: {per_s}/s from acceptance to end"));
    Ok(per_s)
}

/// Credits accounts by hand, one after the other, and times each breaker.
async fn faults(stage: &DrillStage) -> anyhow::Result<Histogram<u64>> {
    let mut times = Histogram::new(3)?;
    let mut conn = stage.pool.get_conn().await?;
    let mut look = stage.pool.get_conn().await?;
    // After the load's events were told.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let open = format!(
        "SELECT 1 FROM {}.breaker WHERE point='cash_out' AND scope='account' AND scope_key=? AND state='open'",
        stage.schemas.guard
    );
    for n in 0..FAULT_COUNT {
        // The accounts at the end of the list; load goes on beside and on them.
        let account = format!("A{:05}", ACCOUNT_COUNT - 1 - n);
        signed::adjust(
            &mut conn,
            &stage.schemas,
            None,
            &account,
            Decimal::ONE,
            &format!("by-hand-{n}"),
        )
        .await?;
        let begun = Instant::now();
        while look
            .exec_first::<u8, _, _>(&open, (&account,))
            .await?
            .is_none()
        {
            ensure!(
                begun.elapsed() < Duration::from_secs(10),
                "the fault on {account} was not found"
            );
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
        times.record(u64::try_from(begun.elapsed().as_micros())?)?;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    Ok(times)
}

/// Accepting as fast as it goes. The sidecar is down: accepting never depends on
/// it, and the floor has none beside it either. Orders wait at the fence.
pub(super) async fn saturate(
    stage: &mut DrillStage,
    progress: &ProgressDisplay,
) -> anyhow::Result<u64> {
    progress.step("accepting at saturation over HTTP");
    if let Some(mut sidecar) = stage.sidecar.take() {
        sidecar.terminate(Duration::from_secs(15)).await?;
    }
    let (traffic, target) = (Traffic::new("full", ACCOUNT_COUNT), stage.target());
    let load = ClosedLoad {
        address: target.address.clone(),
        connections: SATURATING_CONNECTIONS,
        until: LoadEnd::Elapsed(SATURATION_TIME),
        deadline: REQUEST_TIMEOUT,
    };
    let make = move |n: u64, out: &mut Vec<u8>| traffic.request(&target, n, out);
    let report = closed(load, make, |_, _, _: &[u8]| {}).await?;
    ensure!(
        report.succeeded() == report.answered(),
        "saturation was refused: {:?}",
        report.statuses
    );
    progress.done(&format!(
        "accept: {} orders/s over HTTP",
        report.succeeded_per_second()
    ));
    Ok(report.succeeded_per_second())
}
