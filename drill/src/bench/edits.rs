//! A rule is edited under load: how long until live traffic is evaluated with it.

use crate::setup::copy_dir;
use crate::stage::Stage;
use crate::stage::traffic::Traffic;
use crate::story::{progress::Progress, report::Times};
use anyhow::{Context, ensure};
use hdrhistogram::Histogram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const RULE: &str = "balance_adds_up.rhai";
const EDITS: u64 = 12;
const LOAD: Duration = Duration::from_secs(12);
/// The load's events are told first.
const BEGINS: Duration = Duration::from_secs(3);

/// A copy of the rules that may be edited.
pub fn copied(rules: &Path, to: PathBuf) -> anyhow::Result<PathBuf> {
    if to.is_dir() {
        std::fs::remove_dir_all(&to)?;
    }
    copy_dir(rules, &to)?;
    Ok(to)
}

pub async fn measure(stage: &Stage, progress: &Progress, accounts: u64) -> anyhow::Result<Times> {
    progress.step("a rule is edited at 500/s: saved to evaluated in shadow");
    let traffic = Traffic::new("edits", accounts);
    let (load, edits) = tokio::join!(traffic.open(stage, 500, LOAD), edits(stage));
    load?;
    let times = Times::of(&edits?);
    progress.done(&format!(
        "edit to shadow: p50 {} ms, p99 {} ms",
        times.p50, times.p99
    ));
    Ok(times)
}

/// The hash of the set that the last batch was evaluated with.
async fn evaluated(stage: &Stage) -> anyhow::Result<String> {
    Ok(stage.client.sidecar_status().await?["data"]["state"]["rulesHash"].to_string())
}

async fn edits(stage: &Stage) -> anyhow::Result<Histogram<u64>> {
    let file = stage.options.rules.join(RULE);
    let text =
        std::fs::read_to_string(&file).with_context(|| format!("can't read {}", file.display()))?;
    let mut times = Histogram::new(3)?;
    tokio::time::sleep(BEGINS).await;
    for n in 0..EDITS {
        let before = evaluated(stage).await?;
        let begun = Instant::now();
        std::fs::write(&file, format!("{text}\n// edit {n}\n"))?;
        while evaluated(stage).await? == before {
            ensure!(
                begun.elapsed() < Duration::from_secs(10),
                "the edit was not taken over"
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        times.record(u64::try_from(begun.elapsed().as_micros())?)?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(times)
}
