//! `sluice rules check | test | coverage`: a risk engineer runs them before saving a
//! rule, and CI before a rule is taken.

use crate::rules::junit;
use anyhow::{Context, bail};
use sluice_contract::settings::Secret;
use sluice_sidecar::rules::testing::coverage;
use sluice_sidecar::rules::text::error::LoadErrors;
use sluice_sidecar::rules::{RuleCaseResult, RuleFiles, run_cases};
use sluice_sidecar::workflow::folder_import::RuleFolder;
use std::path::Path;

#[allow(clippy::print_stdout)]
pub(super) fn check(dir: &Path) -> anyhow::Result<()> {
    // No transaction is verified by loading, so any key will do.
    let (_, set) = RuleFolder::read(dir, Secret::new("rules-are-only-loaded"))?;
    for rule in set.rules() {
        println!("{:<28} {:<6} {}", rule.id, rule.mode.as_str(), rule.guards);
    }
    println!("{} rules, set {}", set.rules().count(), set.hash());
    Ok(())
}

#[allow(clippy::print_stdout)]
pub(super) fn test(dir: &Path, report: Option<&Path>) -> anyhow::Result<()> {
    let results = run_cases(dir)?;
    if let Some(report) = report {
        if let Some(folder) = report.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("can't make {}", folder.display()))?;
        }
        std::fs::write(report, junit::write(&results))
            .with_context(|| format!("can't write {}; choose another file", report.display()))?;
    }
    for result in &results {
        println!(
            "{} {:<28} {}",
            if result.passed { "✔" } else { "✘" },
            result.rule,
            result.case
        );
        if !result.passed {
            println!("    {}", result.detail);
        }
    }
    let failed = results
        .iter()
        .filter(|r: &&RuleCaseResult| !r.passed)
        .count();
    if failed > 0 {
        bail!("{failed} of {} cases failed", results.len());
    }
    println!("{} cases passed", results.len());
    Ok(())
}

#[allow(clippy::print_stdout)]
pub(super) fn cover(dir: &Path, least: usize) -> anyhow::Result<()> {
    let files = RuleFiles::read(dir).map_err(|e| LoadErrors(vec![e]))?;
    if files.rules.is_empty() {
        bail!(
            "there is no rule file (*.rhai) in {}; name the folder with --dir",
            dir.display()
        );
    }
    let measured = coverage::measure(&files)?;
    let mut below = 0;
    for (file, coverage) in &measured {
        let percent = coverage.percent();
        below += usize::from(percent < least);
        println!(
            "{} {file:<40} {percent:>3} % of {}",
            if percent < least { "✘" } else { "✔" },
            coverage.branches
        );
        for missing in &coverage.missing {
            println!("    {missing}");
        }
    }
    if below > 0 {
        bail!(
            "{below} of {} files are below {least} %: add cases for the lines named",
            measured.len()
        );
    }
    println!("{} files, each at least {least} %", measured.len());
    Ok(())
}
