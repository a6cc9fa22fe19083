//! `sluice backtest`: a rule set tries a recording, and tells what it would have found
//! and held.

mod inputs;
mod table;

use crate::backtest::inputs::{source, trial};
use crate::backtest::table::table;
use crate::reading_bar::ReadingBar;
use anyhow::Context;
use sluice_sidecar::backtest::{self, BacktestProgress, BacktestReport};
use sluice_sidecar::config::SidecarConfig;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct BacktestArgs {
    /// A recording's folder, or one of its segments.
    recording: Option<PathBuf>,
    /// Binlog files of one server instead, in their order.
    #[arg(long, num_args = 1.., conflicts_with = "recording")]
    binlog: Vec<PathBuf>,
    /// The rules to try.
    #[arg(long, default_value = "rules")]
    rules: PathBuf,
    /// The rules to compare with; those of `--config` if left out.
    #[arg(long)]
    against: Option<PathBuf>,
    /// The sidecar's settings file: its public keys, its rules to compare with, its database.
    #[arg(long)]
    config: Option<PathBuf>,
    /// File of public keys that transactions are signed with, if no settings file names the
    /// folder that it is in. No rule that asks for provenance, no key.
    #[arg(long)]
    public_keys: Option<PathBuf>,
    /// A folder with `provenance_key`, for a recording of transactions that have MACs: of cores
    /// without a key pair.
    #[arg(long, conflicts_with = "public_keys")]
    secrets: Option<PathBuf>,
    /// Base name of the schemas in binlog files, if no settings file names it.
    #[arg(long)]
    database: Option<String>,
    /// Threads that evaluate; the result is the same with any number.
    #[arg(long)]
    workers: Option<usize>,
    /// Only this rule; may be given several times.
    #[arg(long)]
    only: Vec<String>,
    /// Evaluate drafts too.
    #[arg(long)]
    drafts: bool,
    /// Take an open breaker for closed after this, such as `30m`.
    #[arg(long)]
    resume_after: Option<jiff::SignedDuration>,
    /// Leave out what is damaged, and say so, instead of ending with an error.
    #[arg(long)]
    skip_damaged: bool,
    /// Write the report here for programs.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write every verdict here, one JSON object a line.
    #[arg(long)]
    verdicts: Option<PathBuf>,
}

/// Prints the table of one trial.
#[allow(clippy::print_stdout)]
pub async fn run(options: BacktestArgs) -> anyhow::Result<()> {
    let (report, seconds) = tokio::task::spawn_blocking(move || measured(&options)).await??;
    println!("{}", table(&report, seconds));
    Ok(())
}

fn measured(options: &BacktestArgs) -> anyhow::Result<(BacktestReport, f64)> {
    let config = options
        .config
        .as_deref()
        .map(SidecarConfig::load)
        .transpose()?;
    let from = source(options, config.as_ref())?;
    let trial = trial(options, config.as_ref())?;
    // Before the long part: a path that can't be written to is an early error.
    let mut lines = options.verdicts.as_deref().map(create).transpose()?;
    let mut json = options.json.as_deref().map(create).transpose()?;
    let reading = ReadingBar::new(from.total());
    let mut told = |progress: BacktestProgress| reading.show(progress.read, progress.changes);
    let sink = lines.as_mut().map(|lines| lines as &mut (dyn Write + Send));
    let report = backtest::run(from, &trial, sink, &mut told);
    let seconds = reading.finish().as_secs_f64();
    let report = report?;
    if let Some(mut lines) = lines {
        lines.flush().context("--verdicts")?;
    }
    if let Some(json) = &mut json {
        serde_json::to_writer_pretty(&mut *json, &report)?;
        json.flush().context("--json")?;
    }
    Ok((report, seconds))
}

fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    Ok(BufWriter::new(File::create(path).with_context(|| {
        format!("can't write {}", path.display())
    })?))
}
