//! `make bench`: every figure beside its floor, taken in the same run on the same
//! machine, so that each is also a ratio.

pub mod accepting;
pub mod backtest;
mod catch_up_floors;
pub mod debezium_peer;
pub mod floor;
mod live;
mod machine;
pub mod replay;
pub mod restart;
pub mod routing;
pub mod rules;

pub mod audit;
mod audit_fill;
pub mod hot_account;
pub mod outbox;
pub mod routing_totals;
pub mod rule_edits;
pub mod shadow_burner;
pub mod split_books;

use crate::bench::replay::ReplayOptions;
use crate::output::latency::LatencyMs;
use crate::output::progress::ProgressDisplay;
use crate::stage::{DrillStage, StageOptions};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// Figures as `bench.json` holds them.
#[derive(Debug, Serialize)]
pub struct BenchFigures {
    pub accept_per_s: u64,
    pub accept_floor_per_s: u64,
    /// With balance and ledger on servers of their own.
    pub split_books_accept_per_s: u64,
    pub accept_ms: LatencyMs,
    /// Reserves on one account, all through one row.
    pub hot_account_per_s: u64,
    pub lifecycle_per_s: u64,
    pub detect_ms: LatencyMs,
    pub fence_ms: LatencyMs,
    /// A rule file saved to live traffic evaluated with it, in shadow.
    pub edit_ms: LatencyMs,
    pub catch_up_rows_per_s: u64,
    pub catch_up_floors: catch_up_floors::CatchUpFloors,
    pub outbox: outbox::OutboxFigures,
    pub routing_totals: routing::RoutingFigures,
    pub rss_mb: ResidentMemory,
    pub machine: machine::MachineDescription,
}

#[derive(Debug, Serialize)]
pub struct ResidentMemory {
    pub core: u64,
    pub sidecar: u64,
}

/// Catching up alone, beside its floors.
///
/// # Errors
/// See `replay::measure`.
pub async fn catch_up(
    dir: &Path,
    progress: &ProgressDisplay,
    timed: (Duration, ReplayOptions),
) -> anyhow::Result<replay::ReplayFigures> {
    let on_step = |step: &str| progress.step(&format!("starting {step}"));
    replay::measure(&dir.join("replay"), progress, &on_step, timed).await
}

/// The bare client writes for this long: it makes the binlog for the catch-up too.
const FLOOR_TIME: Duration = Duration::from_secs(9);

/// Both programs log as they do in production, at `info`, to files.
fn options() -> StageOptions {
    StageOptions::default()
}

/// Runs everything under `dir`; about two and a half minutes.
pub async fn run(dir: &Path, progress: &ProgressDisplay) -> anyhow::Result<BenchFigures> {
    let on_step = |step: &str| progress.step(&format!("starting {step}"));
    let timed = (FLOOR_TIME, ReplayOptions::default());
    let recorded = replay::measure(&dir.join("replay"), progress, &on_step, timed).await?;
    let routing_totals =
        routing::measure(&dir.join("routing"), progress, routing::BRIEF_FILL).await?;
    let outbox = outbox::measure(&dir.join("outbox"), progress, outbox::BRIEF_ROWS).await?;
    let rules = crate::bench::rule_edits::copied(&options().rules, dir.join("rules"))?;
    let mut stage = DrillStage::prepare(
        &dir.join("live"),
        StageOptions { rules, ..options() },
        &on_step,
    )
    .await?;
    let live = live::measure(&mut stage, progress).await;
    let machine = machine::describe();
    stage.down().await?;
    let live = live?;
    let split_books_accept_per_s =
        crate::bench::split_books::measure(&dir.join("split-books"), progress, &on_step).await?;
    Ok(BenchFigures {
        accept_per_s: live.accept_per_s,
        accept_floor_per_s: recorded.accept_floor_per_s,
        split_books_accept_per_s,
        accept_ms: live.accept,
        hot_account_per_s: live.hot_account_per_s,
        lifecycle_per_s: live.lifecycle_per_s,
        detect_ms: live.detect,
        fence_ms: live.fence,
        edit_ms: live.edit,
        catch_up_rows_per_s: recorded.catch_up_rows_per_s,
        catch_up_floors: recorded.catch_up_floors,
        outbox,
        routing_totals,
        rss_mb: live.rss,
        machine,
    })
}
