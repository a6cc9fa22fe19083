//! A run over the data at rest of very many accounts: alone at the sidecar's first
//! start, and beside live load; and what it costs that load.

use crate::bench::audit_fill::fill;
use crate::load::LoadReport;
use crate::output::latency::LatencyMs;
use crate::output::progress::ProgressDisplay;
use crate::setup::MariadbOptions;
use crate::stage::traffic::Traffic;
use crate::stage::{DrillStage, StageOptions};
use anyhow::ensure;
use serde::Serialize;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// Accounts that the load is on.
const BUSY_ACCOUNTS: u64 = 500;
/// The load lasts this long without a run beside it, and at most with one.
const ALONE_LOAD_TIME: Duration = Duration::from_secs(10);
const AUDIT_TIMEOUT: Duration = Duration::from_secs(1_800);

/// Data to make, and load to have beside the run.
#[derive(Debug, Clone, Copy)]
pub struct AuditLoad {
    pub accounts: u64,
    pub orders: u64,
    pub rate: u64,
}

#[derive(Debug, Serialize)]
pub struct AuditFigures {
    pub accounts: u64,
    pub entries: u64,
    pub orders: u64,
    /// At the first start, nothing beside it.
    pub alone_ms: u64,
    /// Beside load, of the run as it tells itself.
    pub beside_ms: u64,
    /// Accounts that were read twice.
    pub suspects: u64,
    pub offered_per_s: u64,
    /// Of the load's requests without a run beside them, and with one.
    pub accept_without_ms: LatencyMs,
    pub accept_beside_ms: LatencyMs,
}

/// Makes accounts at rest, audits them alone at the first start, then beside load.
pub async fn measure(
    dir: &Path,
    progress: &ProgressDisplay,
    rest: AuditLoad,
) -> anyhow::Result<AuditFigures> {
    let mut stage = filled_stage(dir, progress, rest).await?;
    progress.step("the first start: everything at rest is checked");
    // Not ready before the run has ended, which may take longer than a start may.
    let begun = Instant::now();
    let _ = stage.start_sidecar().await;
    let first = first_run(&stage, begun).await?;
    ensure!(
        first["accounts"] == rest.accounts && first["suspects"] == 0,
        "{first}"
    );
    stage.wait_for_fence().await?;
    progress.done(&format!(
        "{} accounts alone: {} ms",
        rest.accounts,
        took_ms(&first)
    ));
    let (without, load, run) = with_and_without(&stage, progress, rest, &first).await?;
    let figures = AuditFigures {
        accounts: rest.accounts,
        entries: rest.accounts * (2 + 4 * rest.orders),
        orders: rest.accounts * rest.orders,
        alone_ms: took_ms(&first),
        beside_ms: took_ms(&run),
        suspects: run["suspects"].as_u64().unwrap_or(0),
        offered_per_s: rest.rate,
        accept_without_ms: LatencyMs::of(&without.latency),
        accept_beside_ms: LatencyMs::of(&load.latency),
    };
    progress.done(&format!(
        "{} accounts beside {} orders/s: {} ms",
        rest.accounts, rest.rate, figures.beside_ms
    ));
    stage.down().await?;
    Ok(figures)
}

/// A stage with its core and all accounts, before the sidecar's first start.
async fn filled_stage(
    dir: &Path,
    progress: &ProgressDisplay,
    rest: AuditLoad,
) -> anyhow::Result<DrillStage> {
    let on_step = |step: &str| progress.step(&format!("starting {step}"));
    let options = StageOptions {
        mariadb: MariadbOptions {
            buffer_pool_mb: 4_096,
            log_file_mb: 2_048,
            ..MariadbOptions::default()
        },
        ..StageOptions::default()
    };
    let mut stage = DrillStage::prepare(dir, options, &on_step).await?;
    stage.start_core().await?;
    progress.step(&format!("making {} accounts", rest.accounts));
    let half = rest.accounts / 2;
    tokio::try_join!(
        fill(&stage, rest.orders, 0, half),
        fill(&stage, rest.orders, half, rest.accounts)
    )?;
    Ok(stage)
}

/// Waits for the end of the run that a first start makes.
async fn first_run(stage: &DrillStage, begun: Instant) -> anyhow::Result<Value> {
    loop {
        let note = stage.client.audit().await;
        let last = note.map(|note| note["last"].clone()).unwrap_or_default();
        if last["runId"].is_string() {
            return Ok(last);
        }
        ensure!(
            begun.elapsed() < AUDIT_TIMEOUT,
            "the first run has not ended"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Load without a run beside it, load with one, and that run.
async fn with_and_without(
    stage: &DrillStage,
    progress: &ProgressDisplay,
    rest: AuditLoad,
    first: &Value,
) -> anyhow::Result<(LoadReport, LoadReport, Value)> {
    Traffic::new("fund", BUSY_ACCOUNTS)
        .fund(stage, 1_000_000)
        .await?;
    progress.step(&format!("{} orders/s, no run beside them", rest.rate));
    let without = Traffic::new("without", BUSY_ACCOUNTS)
        .open(stage, rest.rate, ALONE_LOAD_TIME)
        .await?;
    progress.step(&format!("{} orders/s, a run beside them", rest.rate));
    let time = Duration::from_millis(took_ms(first) * 3 / 2).max(ALONE_LOAD_TIME);
    let time = Duration::from_secs(time.as_secs());
    let beside = Traffic::new("beside", BUSY_ACCOUNTS);
    let run = async {
        // Telling the events comes first.
        tokio::time::sleep(Duration::from_secs(2)).await;
        stage.client.audit_now(AUDIT_TIMEOUT).await
    };
    let (load, run) = tokio::join!(beside.open(stage, rest.rate, time), run);
    let (load, run) = (load?, run?);
    ensure!(
        load.succeeded() == load.answered(),
        "load was refused: {:?}",
        load.statuses
    );
    ensure!(
        run["openFindings"] == 0,
        "something honest was found: {run}"
    );
    stage.drain(0, Duration::from_secs(60)).await?;
    Ok((without, load, run))
}

fn took_ms(run: &Value) -> u64 {
    let at = |field: &str| run[field].as_i64().unwrap_or(0);
    u64::try_from((at("completedUs") - at("startedUs")) / 1_000).unwrap_or(0)
}
