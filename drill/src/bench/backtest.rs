//! `sluice-drill bench backtest`: a stage's load is recorded, and then backtested with
//! every shipped rule, on one worker and on four, progress bar on.

use crate::output::progress::ProgressDisplay;
use crate::stage::traffic::Traffic;
use crate::stage::{DrillStage, StageOptions};
use anyhow::{Context, ensure};
use serde::Serialize;
use sluice_cli::reading_bar::ReadingBar;
use sluice_sidecar::backtest::{self, BacktestOptions, BacktestSource};
use sluice_sidecar::recording::RecordingReader;
use sluice_sidecar::rules::runtime::rule_set::RuleSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ACCOUNT_COUNT: u64 = 2_000;
const MONEY_PER_ACCOUNT: u64 = 10_000_000;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(60);
/// Row changes per second that must be reached.
const MIN_CHANGES_PER_S: u64 = 150_000;

#[derive(Debug, Serialize)]
pub struct BacktestFigures {
    pub changes: u64,
    pub events: u64,
    pub recording_bytes: u64,
    pub one_worker_per_s: u64,
    pub four_workers_per_s: u64,
    /// Reading alone, no rule evaluated.
    pub decode_per_s: u64,
    pub least_per_s: u64,
}

pub async fn measure(
    dir: &Path,
    progress: &ProgressDisplay,
    rate: u64,
    time: Duration,
) -> anyhow::Result<BacktestFigures> {
    let recording = dir.join("recording");
    let options = StageOptions {
        sidecar_extra: format!("recording = {{ dir = \"{}\" }}", recording.display()),
        ..StageOptions::default()
    };
    let rules = options.rules.clone();
    let mut stage = DrillStage::up(dir, options, &|step: &str| {
        progress.step(&format!("starting {step}"))
    })
    .await?;
    progress.step(&format!("recording whole lifecycles, {rate}/s offered"));
    Traffic::new("fund", ACCOUNT_COUNT)
        .fund(&stage, MONEY_PER_ACCOUNT)
        .await?;
    Traffic::new("life", ACCOUNT_COUNT)
        .open(&stage, rate, time)
        .await?;
    ensure!(
        stage.drain(0, DRAIN_TIMEOUT).await? == 0,
        "orders have not ended"
    );
    let keys = stage.verifier.clone();
    let mut sidecar = stage.sidecar.take().context("no sidecar")?;
    sidecar.terminate(Duration::from_secs(15)).await?;
    stage.down().await?;
    let set = Arc::new(RuleSet::load(&rules, keys)?);
    let drawn = progress.clone();
    let figures = tokio::task::spawn_blocking(move || timed(&recording, &set, &drawn)).await??;
    progress.done(&format!(
        "backtest: {} row changes/s on one worker, {} on four ({} read alone)",
        figures.one_worker_per_s, figures.four_workers_per_s, figures.decode_per_s
    ));
    Ok(figures)
}

fn timed(
    recording: &Path,
    set: &Arc<RuleSet>,
    progress: &ProgressDisplay,
) -> anyhow::Result<BacktestFigures> {
    let begun = Instant::now();
    let mut reader = RecordingReader::open(recording, false)?;
    let recording_bytes = reader.total();
    while reader.block()?.is_some() {}
    let decoding = begun.elapsed();
    let run = |workers: usize| -> anyhow::Result<_> {
        let trial = BacktestOptions {
            set: Arc::clone(set),
            against: None,
            workers,
            drafts: false,
            resume_after_us: None,
        };
        progress.step(&format!("backtest, {workers} at work"));
        let mut lines = Vec::new();
        let from = BacktestSource::Recording(Box::new(RecordingReader::open(recording, false)?));
        let reading = ReadingBar::new(from.total());
        let report = backtest::run(from, &trial, Some(&mut lines), &mut |at| {
            reading.show(at.read, at.changes)
        })?;
        Ok((report, lines, reading.finish()))
    };
    let (one, one_lines, one_took) = run(1)?;
    let (_, four_lines, four_took) = run(4)?;
    ensure!(
        one_lines == four_lines,
        "one worker and four found something else"
    );
    ensure!(
        one_lines.is_empty(),
        "false alarms: {}",
        String::from_utf8_lossy(&one_lines)
    );
    let per_s = |took: Duration| {
        u64::try_from(u128::from(one.seen.changes) * 1_000 / took.as_millis().max(1))
    };
    Ok(BacktestFigures {
        changes: one.seen.changes,
        events: one.seen.events,
        recording_bytes,
        one_worker_per_s: per_s(one_took)?,
        four_workers_per_s: per_s(four_took)?,
        decode_per_s: per_s(decoding)?,
        least_per_s: MIN_CHANGES_PER_S,
    })
}
