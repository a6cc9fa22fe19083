//! The inputs of a backtest: what is read, and the rule sets that are tried on it.

use crate::backtest::BacktestArgs;
use anyhow::{Context, bail, ensure};
use sluice_contract::schema::Schemas;
use sluice_sidecar::backtest::{BacktestOptions, BacktestSource};
use sluice_sidecar::config::{BacktestKeys, SidecarConfig};
use sluice_sidecar::recording::RecordingReader;
use sluice_sidecar::recording::binlog_files::BinlogFiles;
use sluice_sidecar::reload::BOOK_TABLES;
use sluice_sidecar::rules::RuleFiles;
use sluice_sidecar::rules::runtime::rule_set::RuleSet;
use std::path::Path;
use std::sync::Arc;

/// Opens the recording or the binlog files that were named.
pub(super) fn source(
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

/// Loads the set to try and the set to compare with.
pub(super) fn trial(
    options: &BacktestArgs,
    config: Option<&SidecarConfig>,
) -> anyhow::Result<BacktestOptions> {
    let (public_keys, secrets) = (options.public_keys.as_deref(), options.secrets.as_deref());
    let keys = BacktestKeys::load(public_keys, secrets, config)?;
    let split_books = config.is_some_and(|config| config.mysql.split_books);
    let load = |dir: &Path| load(dir, &options.only, &keys, split_books).map(Arc::new);
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

fn load(
    dir: &Path,
    only: &[String],
    keys: &BacktestKeys,
    split_books: bool,
) -> anyhow::Result<RuleSet> {
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
    let mut set = RuleSet::build(&files, keys.of(&files)?)?;
    if split_books {
        set.without(&BOOK_TABLES);
    }
    Ok(set)
}
