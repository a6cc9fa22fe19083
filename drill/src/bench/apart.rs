//! Balance and ledger on servers of their own: what the saga costs accepting. All
//! three servers are on this machine, so the figure is a lower bound.

use super::live::{ACCOUNTS, EACH, saturate};
use crate::stage::traffic::Traffic;
use crate::stage::{Options, Stage};
use crate::story::progress::Progress;
use std::path::Path;

/// Orders per second accepted over HTTP, each booked on three servers.
pub async fn measure(
    dir: &Path,
    progress: &Progress,
    told: &(impl Fn(&str) + Sync),
) -> anyhow::Result<u64> {
    let options = Options {
        apart: true,
        fence: false,
        dispatch: false,
        ..super::options()
    };
    let mut stage = Stage::prepare(dir, options, told).await?;
    stage.start_core().await?;
    progress.step("balance and ledger apart: giving accounts money");
    Traffic::new("fund", ACCOUNTS).fund(&stage, EACH).await?;
    let accept_per_s = saturate(&mut stage, progress).await;
    stage.down().await?;
    accept_per_s
}
