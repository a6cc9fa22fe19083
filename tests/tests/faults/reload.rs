//! Rules are reloaded under load, all or nothing.

use crate::faults::{by_hand, verdicts_of};
use anyhow::ensure;
use sluice_drill::setup::copy_dir;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

const RULES_VERSION_METRIC: &str = "sluice_sidecar_rules_version";

const RELOAD_FAILURES_METRIC: &str = "sluice_sidecar_rule_reload_failures_total";

/// Waits until the sidecar counts more than this.
async fn grown(set: &TestStage, metric: &str, than: u64) -> anyhow::Result<()> {
    let begun = Instant::now();
    while set.stage.sidecar_metric(metric).await? <= than {
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "{metric} stays at {than}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_reloaded_under_load_all_or_nothing() -> anyhow::Result<()> {
    let mut options = options();
    let rules = tempfile::tempdir()?;
    copy_dir(&options.rules, rules.path())?;
    options.rules = rules.path().to_owned();
    let set = TestStage::up(options).await?;
    let traffic = Traffic::new("reload", 50);
    traffic.fund(&set.stage, 10_000).await?;
    let hash =
        || async { anyhow::Ok(set.stage.client.sidecar_status().await?["data"].to_string()) };
    let rule = rules.path().join("balance_adds_up.rhai");
    let good = std::fs::read_to_string(&rule)?;
    let (report, reloaded) = tokio::join!(
        traffic.open(&set.stage, 150, Duration::from_secs(8)),
        async {
            for turn in 0..5 {
                let version = set.stage.sidecar_metric(RULES_VERSION_METRIC).await?;
                std::fs::write(&rule, format!("{good}\n// turn {turn}\n"))?;
                grown(&set, RULES_VERSION_METRIC, version).await?;
                let refused = set.stage.sidecar_metric(RELOAD_FAILURES_METRIC).await?;
                std::fs::write(&rule, "fn check(row) { this is not a rule")?;
                grown(&set, RELOAD_FAILURES_METRIC, refused).await?;
            }
            anyhow::Ok(())
        }
    );
    reloaded?;
    report?;
    ensure!(
        set.stage
            .sidecar_metric("sluice_sidecar_rules_loaded")
            .await?
            >= 8,
        "the last good set is gone"
    );
    // The set that is loaded still stops faults, and a mended file loads.
    let before = hash().await?;
    by_hand(&set, 7).await?;
    std::fs::write(&rule, format!("{good}\n// mended\n"))?;
    let begun = Instant::now();
    while hash().await? == before || verdicts_of(&set, "provenance").await?.is_empty() {
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "not mended or not found: {before}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    set.stage.drain(0, Duration::from_secs(30)).await?;
    let counts =
        sluice_drill::checks::counts(&set.stage.pool, &set.stage.schemas, &["A00007".to_owned()])
            .await?;
    ensure!(counts.false_positives == 0, "{:?}", set.verdicts().await?);
    Ok(())
}
