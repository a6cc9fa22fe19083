//! Balance and ledger on servers of their own: what the saga costs accepting. All
//! three servers are on this machine, so the figure is a lower bound.

use crate::bench::live::{ACCOUNT_COUNT, MONEY_PER_ACCOUNT, saturate};
use crate::output::progress::ProgressDisplay;
use crate::stage::traffic::Traffic;
use crate::stage::{DrillStage, StageOptions};
use std::path::Path;

/// Orders per second accepted over HTTP, each booked on three servers.
pub async fn measure(
    dir: &Path,
    progress: &ProgressDisplay,
    on_step: &(impl Fn(&str) + Sync),
) -> anyhow::Result<u64> {
    let options = StageOptions {
        split_books: true,
        fence: false,
        dispatch: false,
        ..crate::bench::options()
    };
    let mut stage = DrillStage::prepare(dir, options, on_step).await?;
    stage.start_core().await?;
    progress.step("balance and ledger on servers of their own: giving accounts money");
    Traffic::new("fund", ACCOUNT_COUNT)
        .fund(&stage, MONEY_PER_ACCOUNT)
        .await?;
    let accept_per_s = saturate(&mut stage, progress).await;
    stage.down().await?;
    accept_per_s
}
