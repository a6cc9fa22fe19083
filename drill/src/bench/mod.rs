//! `make bench`: every figure beside its floor, taken in the same run on the same
//! machine, so that each is also a ratio.

mod apart;
pub mod backtest;
mod edits;
pub mod floor;
mod hot;
mod live;
mod machine;
mod replay;
pub mod routing;
pub mod rules;
pub mod snapshot;
mod totals;

use crate::stage::{Options, Stage};
use crate::story::{progress::Progress, report::Times};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// What `bench.json` holds.
#[derive(Debug, Serialize)]
pub struct Figures {
    pub accept_per_s: u64,
    pub accept_floor_per_s: u64,
    /// With balance and ledger on servers of their own.
    pub apart_accept_per_s: u64,
    pub accept_ms: Times,
    /// Reserves on one account, all through one row.
    pub hot_account_per_s: u64,
    pub lifecycle_per_s: u64,
    pub detect_ms: Times,
    pub fence_ms: Times,
    /// A rule file saved to live traffic evaluated with it, in shadow.
    pub edit_ms: Times,
    pub catch_up_rows_per_s: u64,
    pub catch_up_floor_rows_per_s: u64,
    pub routing_totals: routing::RoutingTotals,
    pub rss_mb: Rss,
    pub machine: machine::Machine,
}

#[derive(Debug, Serialize)]
pub struct Rss {
    pub core: u64,
    pub sidecar: u64,
}

/// How long the bare client writes: it makes the binlog for the catch-up too.
const FLOOR: Duration = Duration::from_secs(9);

/// Both programs log as they do in production, at `info`, to files.
fn options() -> Options {
    Options::default()
}

/// Runs everything under `dir`; about two and a half minutes.
pub async fn run(dir: &Path, progress: &Progress) -> anyhow::Result<Figures> {
    let told = |step: &str| progress.step(&format!("starting {step}"));
    let recorded = replay::measure(&dir.join("replay"), progress, &told, FLOOR).await?;
    let routing_totals = routing::measure(&dir.join("routing"), progress, routing::BRIEF).await?;
    let rules = edits::copied(&options().rules, dir.join("rules"))?;
    let mut stage =
        Stage::prepare(&dir.join("live"), Options { rules, ..options() }, &told).await?;
    let live = live::measure(&mut stage, progress).await;
    let machine = machine::describe();
    stage.down().await?;
    let live = live?;
    let apart_accept_per_s = apart::measure(&dir.join("apart"), progress, &told).await?;
    Ok(Figures {
        accept_per_s: live.accept_per_s,
        accept_floor_per_s: recorded.accept_floor_per_s,
        apart_accept_per_s,
        accept_ms: live.accept,
        hot_account_per_s: live.hot_account_per_s,
        lifecycle_per_s: live.lifecycle_per_s,
        detect_ms: live.detect,
        fence_ms: live.fence,
        edit_ms: live.edit,
        catch_up_rows_per_s: recorded.catch_up_rows_per_s,
        catch_up_floor_rows_per_s: recorded.catch_up_floor_rows_per_s,
        routing_totals,
        rss_mb: live.rss,
        machine,
    })
}
