//! Accepting alone, beside its floor: what a change of the request's way is measured by.

use crate::bench::live::{ACCOUNT_COUNT, MONEY_PER_ACCOUNT, saturate};
use crate::bench::{FLOOR_TIME, hot_account, options, replay, split_books};
use crate::output::progress::ProgressDisplay;
use crate::stage::DrillStage;
use crate::stage::traffic::Traffic;
use serde::Serialize;
use std::path::Path;

/// Orders per second over HTTP.
#[derive(Debug, Serialize)]
pub struct AcceptingFigures {
    pub accept_per_s: u64,
    pub accept_floor_per_s: u64,
    pub hot_account_per_s: u64,
    pub split_books_accept_per_s: u64,
}

/// Runs under `dir`; about a minute.
///
/// # Errors
/// A server that does not start, or a request that is refused.
pub async fn measure(dir: &Path, progress: &ProgressDisplay) -> anyhow::Result<AcceptingFigures> {
    let on_step = |step: &str| progress.step(&format!("starting {step}"));
    let floor = DrillStage::prepare(&dir.join("replay"), options(), &on_step).await?;
    let (accept_floor_per_s, _) = replay::accept_floor(&floor, progress, FLOOR_TIME).await?;
    floor.down().await?;
    let mut stage = DrillStage::prepare(&dir.join("live"), options(), &on_step).await?;
    stage.start_core().await?;
    progress.step("giving accounts money");
    Traffic::new("fund", ACCOUNT_COUNT)
        .fund(&stage, MONEY_PER_ACCOUNT)
        .await?;
    let accept_per_s = saturate(&mut stage, progress).await?;
    let hot_account_per_s = hot_account::measure(&stage, progress).await?;
    stage.down().await?;
    let split_books_accept_per_s =
        split_books::measure(&dir.join("split-books"), progress, &on_step).await?;
    Ok(AcceptingFigures {
        accept_per_s,
        accept_floor_per_s,
        hot_account_per_s,
        split_books_accept_per_s,
    })
}
