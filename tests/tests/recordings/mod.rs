//! Recordings of the running system, and what backtests find in them.

mod backtests;
mod recorder;

use anyhow::ensure;
use sluice_contract::schema::Schemas;
use sluice_sidecar::backtest::{self, BacktestOptions, BacktestReport, BacktestSource};
use sluice_sidecar::recording::RecordingReader;
use sluice_sidecar::recording::binlog_files::BinlogFiles;
use sluice_sidecar::rules::RuleFiles;
use sluice_sidecar::rules::runtime::rule_set::RuleSet;
use sluice_tests::TestStage;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn rules(set: &TestStage, edit: impl Fn(&str, &str) -> String) -> anyhow::Result<Arc<RuleSet>> {
    let mut files =
        RuleFiles::read(&set.stage.options.rules).map_err(|e| anyhow::anyhow!("{e:?}"))?;
    files
        .rules
        .iter_mut()
        .for_each(|file| file.text = edit(&file.id, &file.text));
    Ok(Arc::new(RuleSet::build(
        &files,
        set.stage.verifier.clone(),
    )?))
}

fn as_is(set: &TestStage) -> anyhow::Result<Arc<RuleSet>> {
    rules(set, |_, text| text.to_owned())
}

fn trial(set: Arc<RuleSet>, against: Option<Arc<RuleSet>>, workers: usize) -> BacktestOptions {
    BacktestOptions {
        set,
        against,
        workers,
        drafts: false,
        resume_after_us: None,
    }
}

fn run(from: BacktestSource, trial: &BacktestOptions) -> anyhow::Result<(BacktestReport, String)> {
    let mut lines = Vec::new();
    let report = backtest::run(from, trial, Some(&mut lines), &mut |_| {})?;
    Ok((report, String::from_utf8(lines)?))
}

fn recording(dir: &Path) -> anyhow::Result<BacktestSource> {
    Ok(BacktestSource::Recording(Box::new(RecordingReader::open(
        dir, false,
    )?)))
}

/// The server's own files hold the same rows; what needs no event is found in them.
pub fn of_files(set: &TestStage, data: &Path) -> anyhow::Result<(BacktestReport, String)> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(data)? {
        let path = entry?.path();
        let number = path
            .extension()
            .and_then(|e| e.to_str())
            .is_some_and(|e| e.parse::<u32>().is_ok());
        if number && path.file_stem().is_some_and(|stem| stem == "binlog") {
            files.push(path);
        }
    }
    files.sort();
    ensure!(!files.is_empty(), "no binlog files");
    let from = BacktestSource::Binlog(Box::new(BinlogFiles::open(
        &files,
        &Schemas::under("sluice")?,
    )?));
    let (report, lines) = run(from, &trial(as_is(set)?, None, 2))?;
    ensure!(
        report.seen.changes > 1_000 && report.seen.to_us > report.seen.from_us,
        "{:?}",
        report.seen
    );
    Ok((report, lines))
}
