//! `sluice backtest`: what a rule set would have found in a recording, and held.

use crate::cli::backtest_table::table;
use crate::output::reading_bar::ReadingBar;
use anyhow::{Context, bail, ensure};
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use sluice_sidecar::backtest::{
    self, BacktestOptions, BacktestProgress, BacktestReport, BacktestSource,
};
use sluice_sidecar::config::SidecarConfig;
use sluice_sidecar::recording::RecordingReader;
use sluice_sidecar::recording::binlog_files::BinlogFiles;
use sluice_sidecar::reload::BOOK_TABLES;
use sluice_sidecar::rules::RuleFiles;
use sluice_sidecar::rules::runtime::rule_set::RuleSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    /// The sidecar's settings file: its secrets, its rules to compare with, its database.
    #[arg(long)]
    config: Option<PathBuf>,
    /// The folder that holds `provenance_key`, if no settings file names it.
    #[arg(long)]
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

fn source(
    options: &BacktestArgs,
    config: Option<&SidecarConfig>,
) -> anyhow::Result<BacktestSource> {
    match &options.recording {
        Some(path) => Ok(BacktestSource::Recording(Box::new(RecordingReader::open(
            path,
            options.skip_damaged,
        )?))),
        None if options.binlog.is_empty() => {
            bail!("name what to read: a recording's folder, or --binlog FILE…")
        }
        None => {
            let named = options
                .database
                .as_deref()
                .or(config.map(|config| config.mysql.database.as_str()));
            let schemas = Schemas::under(named.unwrap_or("sluice")).context("--database")?;
            Ok(BacktestSource::Binlog(Box::new(BinlogFiles::open(
                &options.binlog,
                &schemas,
            )?)))
        }
    }
}

fn trial(
    options: &BacktestArgs,
    config: Option<&SidecarConfig>,
) -> anyhow::Result<BacktestOptions> {
    let secrets = options
        .secrets
        .as_deref()
        .or(config.and_then(|config| config.secrets_dir.as_deref()));
    // A wrong key would make every transaction look like somebody's hand.
    let key = Secret::load("provenance_key", secrets)
        .context("a rule may ask who signed: name the core's secrets with --config or --secrets")?;
    let split_books = config.is_some_and(|config| config.mysql.split_books);
    let load = |dir: &Path| load(dir, &options.only, &key, split_books).map(Arc::new);
    let against = options
        .against
        .as_deref()
        .or(config.map(|config| config.rules_dir.as_path()));
    let set = load(&options.rules)?;
    for rule in &options.only {
        ensure!(
            set.rules().any(|r| r.id == *rule),
            "--only {rule}: {} has no such rule",
            options.rules.display()
        );
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let resume = options
        .resume_after
        .map(|after| i64::try_from(after.as_micros()))
        .transpose();
    Ok(BacktestOptions {
        set,
        against: against.map(load).transpose()?,
        workers: options.workers.unwrap_or(cores),
        drafts: options.drafts,
        resume_after_us: resume.context("--resume-after")?,
    })
}

fn load(dir: &Path, only: &[String], key: &Secret, split_books: bool) -> anyhow::Result<RuleSet> {
    let mut files = RuleFiles::read(dir)
        .map_err(|error| anyhow::anyhow!("{}: {}; {}", error.file, error.cause, error.next))?;
    ensure!(
        !files.rules.is_empty(),
        "{} holds no rule file (*.rhai)",
        dir.display()
    );
    if !only.is_empty() {
        files.rules.retain(|file| only.contains(&file.id));
    }
    let mut set = RuleSet::build(&files, key.clone())?;
    if split_books {
        set.without(&BOOK_TABLES);
    }
    Ok(set)
}

fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    Ok(BufWriter::new(File::create(path).with_context(|| {
        format!("can't write {}", path.display())
    })?))
}
