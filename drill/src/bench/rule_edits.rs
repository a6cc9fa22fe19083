//! A rule is edited under load: how long until live traffic is evaluated with it.

use crate::output::latency::LatencyMs;
use crate::output::progress::ProgressDisplay;
use crate::setup::copy_dir;
use crate::stage::DrillStage;
use crate::stage::traffic::Traffic;
use anyhow::{Context, ensure};
use hdrhistogram::Histogram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const EDITED_RULE_FILE: &str = "balance_adds_up.rhai";
const EDIT_COUNT: u64 = 12;
const LOAD_TIME: Duration = Duration::from_secs(12);
/// The load's events are told first.
const FIRST_EDIT_DELAY: Duration = Duration::from_secs(3);

/// A copy of the rules that may be edited.
pub fn copied(rules: &Path, to: PathBuf) -> anyhow::Result<PathBuf> {
    if to.is_dir() {
        std::fs::remove_dir_all(&to)?;
    }
    copy_dir(rules, &to)?;
    Ok(to)
}

pub async fn measure(
    stage: &DrillStage,
    progress: &ProgressDisplay,
    accounts: u64,
) -> anyhow::Result<LatencyMs> {
    progress.step("a rule is edited at 500/s: saved to evaluated in shadow");
    let traffic = Traffic::new("edits", accounts);
    let (load, edits) = tokio::join!(traffic.open(stage, 500, LOAD_TIME), edits(stage));
    load?;
    let times = LatencyMs::of(&edits?);
    progress.done(&format!(
        "edit to shadow: p50 {} ms, p99 {} ms",
        times.p50, times.p99
    ));
    Ok(times)
}

/// The hash of the set that the last batch was evaluated with.
async fn evaluated(stage: &DrillStage) -> anyhow::Result<String> {
    Ok(stage.client.sidecar_status().await?["data"]["state"]["rulesHash"].to_string())
}

async fn edits(stage: &DrillStage) -> anyhow::Result<Histogram<u64>> {
    let file = stage.options.rules.join(EDITED_RULE_FILE);
    let text =
        std::fs::read_to_string(&file).with_context(|| format!("can't read {}", file.display()))?;
    let mut times = Histogram::new(3)?;
    tokio::time::sleep(FIRST_EDIT_DELAY).await;
    for n in 0..EDIT_COUNT {
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
