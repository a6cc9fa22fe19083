//! `make demo`: healthy load, then one fault of each kind of loss while the load
//! goes on, then a person cleans up; at the end the books are compared.

pub mod report;

use crate::channels::{SimulatorConfig, SimulatorKind};
use crate::checks;
use crate::faults::{FaultKind, injection};
use crate::load::LoadReport;
use crate::output::latency::LatencyMs;
use crate::output::progress::ProgressDisplay;
use crate::stage::merchants::MerchantTraffic;
use crate::stage::traffic::Traffic;
use crate::stage::{DrillStage, StageOptions, fence_probe};
use crate::story::report::StoryReport;
use anyhow::Context;
use rust_decimal::Decimal;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Honest orders a second, all through the story.
const ORDERS_PER_S: u64 = 320;
const HEALTHY_TIME: Duration = Duration::from_secs(15);
/// Load beside the faults; longer than they take, so that it covers them.
const LOAD_BESIDE_FAULTS_TIME: Duration = Duration::from_secs(20);
/// Settlements and refunds a second beside the healthy load.
const MERCHANT_REQUESTS_PER_S: u64 = 20;
const MERCHANT_COUNT: u64 = 10;
const ACCOUNT_COUNT: u64 = 400;
const MONEY_PER_ACCOUNT: u64 = 100_000;
/// The last orders end within this.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);

/// Channels as they are on a bad day: time-outs after and without paying, unknown
/// codes, late, doubled and early callbacks, returns.
fn bad_day() -> SimulatorConfig {
    let usual = SimulatorConfig {
        // The same day again, if somebody wants to see it again.
        seed: std::env::var("SLUICE_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok()),
        ..SimulatorConfig::default()
    };
    SimulatorKind::ALL.into_iter().fold(usual, |config, kind| {
        config.with_rates(kind, kind.simulator().bad_day())
    })
}

pub fn options() -> StageOptions {
    StageOptions {
        sims: bad_day(),
        core_extra: "recovery.query_initial_delay_ms = 300\nrecovery.callback_wait_ms = 2000"
            .into(),
        ..StageOptions::default()
    }
}

/// Plays the story on a stage under `dir`, and returns what was seen.
pub async fn play(dir: &Path, progress: &ProgressDisplay) -> anyhow::Result<StoryReport> {
    progress.line(&format!(
        "Sluice on this machine: {} s of healthy load, then one fault of each kind of loss while load goes on.",
        HEALTHY_TIME.as_secs()
    ));
    let begun = Instant::now();
    let told = |step: &str| progress.step(&format!("starting {step}"));
    let stage = DrillStage::up(dir, options().from_environment(), &told).await?;
    progress.done(&format!(
        "the stage is up in {:.1?}; the channels' chances have seed {} (SLUICE_SEED plays it again)",
        begun.elapsed(),
        stage.sims.seed()
    ));
    let report = acts(&stage, progress).await;
    progress.step("stopping everything");
    stage.down().await?;
    report
}

async fn acts(stage: &DrillStage, progress: &ProgressDisplay) -> anyhow::Result<StoryReport> {
    let channels = SimulatorKind::ALL.map(SimulatorKind::id).to_vec();
    let traffic = Traffic {
        channels,
        ..Traffic::new("healthy", ACCOUNT_COUNT)
    };
    give_money(stage, progress, &traffic).await?;
    let (healthy, fence) = healthy_load(stage, progress, &traffic).await?;
    let beside = Traffic {
        run: "beside".into(),
        ..traffic
    };
    let (load, faults) = tokio::join!(
        beside.open(stage, ORDERS_PER_S, LOAD_BESIDE_FAULTS_TIME),
        faults(stage, progress)
    );
    let (load, faults) = (load?, faults?);
    anyhow::ensure!(
        load.succeeded() == load.answered(),
        "load beside the faults was refused: {:?}",
        load.statuses
    );
    progress.step("waiting for the last orders to end");
    let left = stage.drain(0, DRAIN_TIMEOUT).await?;
    progress.done(&if left == 0 {
        "every order is at its end".to_owned()
    } else {
        format!("{left} orders are not")
    });
    let expected: Vec<String> = FaultKind::ALL.map(injection::account_of).to_vec();
    let counts = checks::counts(&stage.pool, &stage.schemas, &expected).await?;
    let invariants = stage.invariants().await?;
    let accept = LatencyMs::of(&healthy.latency);
    Ok(StoryReport::new(counts, invariants, faults, accept, fence))
}

async fn give_money(
    stage: &DrillStage,
    progress: &ProgressDisplay,
    traffic: &Traffic,
) -> anyhow::Result<()> {
    progress.step(&format!(
        "giving {ACCOUNT_COUNT} accounts money, each deposit told on Kafka and booked"
    ));
    traffic.fund(stage, MONEY_PER_ACCOUNT).await?;
    for kind in FaultKind::ALL {
        injection::fund(stage, &injection::account_of(kind), Decimal::from(10_000)).await?;
    }
    progress.done(&format!(
        "{} accounts have money",
        ACCOUNT_COUNT + FaultKind::ALL.len() as u64
    ));
    Ok(())
}

/// Orders, settlements and refunds with nothing wrong; returns the orders' report and
/// the fence's delay meanwhile.
async fn healthy_load(
    stage: &DrillStage,
    progress: &ProgressDisplay,
    traffic: &Traffic,
) -> anyhow::Result<(LoadReport, LatencyMs)> {
    progress.step(&format!(
        "healthy load: {ORDERS_PER_S} orders/s for {} s, on channels that have a bad day",
        HEALTHY_TIME.as_secs()
    ));
    let merchants = MerchantTraffic::new("sold", MERCHANT_COUNT);
    let merchants_time = HEALTHY_TIME - Duration::from_secs(2);
    let stop = CancellationToken::new();
    let load = async {
        let all = tokio::join!(
            traffic.open(stage, ORDERS_PER_S, HEALTHY_TIME),
            merchants.open(stage, MERCHANT_REQUESTS_PER_S, merchants_time),
            progress.while_loading(stage, HEALTHY_TIME, "healthy load")
        );
        stop.cancel();
        all
    };
    let probe = fence_probe::fence(stage, Duration::from_millis(25), stop.clone());
    let ((healthy, sold, ()), fence) = tokio::join!(load, probe);
    let (healthy, sold) = (healthy?, sold?);
    refuse_refusals("settlements and refunds were", &sold)?;
    refuse_refusals("healthy load was", &healthy)?;
    progress.done(&format!(
        "{} orders accepted, {}/s, on three channels",
        healthy.succeeded(),
        healthy.per_second()
    ));
    progress.done(&format!(
        "{} settlements and refunds of payments that Kafka told",
        sold.succeeded()
    ));
    let fence = fence.context("fence probe")?;
    Ok((healthy, LatencyMs::of(&fence)))
}

fn refuse_refusals(subject: &str, load: &LoadReport) -> anyhow::Result<()> {
    anyhow::ensure!(
        load.succeeded() == load.answered() && load.unanswered == 0,
        "{subject} refused: {:?} {:?}",
        load.statuses,
        load.first_error
    );
    Ok(())
}

async fn faults(
    stage: &DrillStage,
    progress: &ProgressDisplay,
) -> anyhow::Result<Vec<injection::FaultOutcome>> {
    let mut all = Vec::new();
    for kind in FaultKind::ALL {
        progress.step(&format!("fault: {}", kind.description()));
        let made = injection::make(stage, kind)
            .await
            .with_context(|| format!("making the fault {}", kind.as_str()))?;
        let seen = injection::watch(stage, &made).await?;
        progress.done(&report::fault_line(kind, &seen));
        if seen.detected {
            let done = injection::clean_up(stage, &made)
                .await
                .with_context(|| format!("cleaning up {}", kind.as_str()))?;
            progress.note(&format!("a person: {done}; breaker closed by API"));
        }
        all.push(seen);
    }
    Ok(all)
}
