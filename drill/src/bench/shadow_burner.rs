//! A rule in shadow that burns its limits: what it costs those that are armed. The same catch-up
//! and the same live load, without it and with it.

use crate::bench::live::{self, FENCE_LOAD_PER_S};
use crate::bench::replay::{self, ReplayOptions};
use crate::bench::{FLOOR_TIME, rule_edits};
use crate::output::latency::LatencyMs;
use crate::output::progress::ProgressDisplay;
use crate::stage::traffic::Traffic;
use crate::stage::{DrillStage, StageOptions};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

const BURNER_FILE: &str = "burner.rhai";
/// Within every limit of a call, and about a millisecond each on every inserted entry.
const BURNER: &str = r#"//! id = "burner"
//! guards = "nothing: it takes time"
//! kind = "internal_logic"
//! severity = "minor"
//! mode = "shadow"
//! breaker = "cash_out/account"
//! owner = "bench"
//! runbook = "none"
//! [trigger]
//! on = "row"
//! table = "entry"
//! ops = ["insert"]

fn check(row) {
    let sum = 0;
    for i in 0..4000 { sum += i; }
    if sum < 0 {
        violation(row.after.account_id, row.after.posting_id, "never")
    }
}
"#;
/// For the file to be read, compiled and evaluated with.
const SETTLE_TIME: Duration = Duration::from_secs(3);

/// One figure without the rule, with it, and without it again: what a database that has grown
/// costs is not the rule's.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct WithAndWithout<T> {
    pub without: T,
    pub with: T,
    pub without_again: T,
}

impl<T> WithAndWithout<T> {
    fn new([without, with, without_again]: [T; 3]) -> Self {
        WithAndWithout {
            without,
            with,
            without_again,
        }
    }
}

/// Figures of a live system and of a catch-up.
#[derive(Debug, Serialize)]
pub struct ShadowFigures {
    pub catch_up_rows_per_s: WithAndWithout<u64>,
    pub fence_ms: WithAndWithout<LatencyMs>,
    pub lifecycle_per_s: WithAndWithout<u64>,
    /// Times that the rule was put to sleep in the live half.
    pub slept: u64,
}

/// A copy of the rules with one that burns beside them.
///
/// # Errors
/// A folder that can't be written.
pub(super) fn beside(rules: &Path, to: PathBuf) -> anyhow::Result<PathBuf> {
    let copy = rule_edits::copied(rules, to)?;
    save(&copy)?;
    Ok(copy)
}

fn save(rules: &Path) -> anyhow::Result<()> {
    Ok(std::fs::write(rules.join(BURNER_FILE), BURNER)?)
}

/// Measures both halves under `dir`.
///
/// # Errors
/// A server that does not start, or a figure that can't be had.
pub async fn measure(dir: &Path, progress: &ProgressDisplay) -> anyhow::Result<ShadowFigures> {
    let on_step = |step: &str| progress.step(&format!("starting {step}"));
    let mut caught_up = [0; 3];
    for (at, burner) in [false, true, false].into_iter().enumerate() {
        let (dir, readers) = (
            dir.join("replay"),
            ReplayOptions {
                burner,
                ..ReplayOptions::default()
            },
        );
        if dir.is_dir() {
            std::fs::remove_dir_all(&dir)?;
        }
        let replayed = replay::measure(&dir, progress, &on_step, (FLOOR_TIME, readers)).await?;
        caught_up[at] = replayed.catch_up_rows_per_s;
    }
    let rules = rule_edits::copied(&StageOptions::default().rules, dir.join("rules"))?;
    let options = StageOptions {
        rules,
        ..StageOptions::default()
    };
    let mut stage = DrillStage::prepare(&dir.join("live"), options, &on_step).await?;
    live::start(&mut stage, progress).await?;
    let first = one_part(&stage, progress, ["fence-0", "life-0"]).await?;
    save(&stage.options.rules)?;
    tokio::time::sleep(SETTLE_TIME).await;
    let second = one_part(&stage, progress, ["fence-1", "life-1"]).await?;
    const SLEPT: &str = "sluice_sidecar_rule_over_budget_total{mode=\"shadow\",rule=\"burner\"}";
    let slept = stage.sidecar_metric(SLEPT).await?;
    std::fs::remove_file(stage.options.rules.join(BURNER_FILE))?;
    tokio::time::sleep(SETTLE_TIME).await;
    let third = one_part(&stage, progress, ["fence-2", "life-2"]).await?;
    stage.down().await?;
    Ok(ShadowFigures {
        catch_up_rows_per_s: WithAndWithout::new(caught_up),
        fence_ms: WithAndWithout::new([first.0, second.0, third.0]),
        lifecycle_per_s: WithAndWithout::new([first.1, second.1, third.1]),
        slept,
    })
}

/// The fence's delay beside a steady load, and whole lifecycles at saturation.
async fn one_part(
    stage: &DrillStage,
    progress: &ProgressDisplay,
    [fence, life]: [&str; 2],
) -> anyhow::Result<(LatencyMs, u64)> {
    progress.step(&format!("the fence beside {FENCE_LOAD_PER_S} orders/s"));
    let fence = live::fence(stage, &Traffic::new(fence, live::ACCOUNT_COUNT)).await?;
    progress.done(&format!(
        "the fence adds: p50 {} ms, p99 {} ms",
        fence.p50, fence.p99
    ));
    Ok((fence, live::lifecycles(stage, progress, life).await?))
}
