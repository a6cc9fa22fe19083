//! `sluice routing check`: a configuration file is read, and every problem named with
//! its line.

use anyhow::Context;
use sluice_core::routing::file::{RoutingLineNumbers, parse};
use sluice_core::routing::{RoutingDraft, RoutingProblem, RoutingSet};
use std::path::Path;

pub(super) fn read(file: &Path) -> anyhow::Result<(RoutingDraft, RoutingLineNumbers)> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
    parse(&text).map_err(|problems| refused(file, &problems, &RoutingLineNumbers::new()))
}

#[allow(clippy::print_stdout)]
pub(super) fn refused(
    file: &Path,
    problems: &[RoutingProblem],
    lines: &RoutingLineNumbers,
) -> anyhow::Error {
    for problem in problems {
        let line = lines
            .get(&problem.place)
            .map_or(String::new(), |n| format!(":{n}"));
        println!("✘ {}{line}: {problem}", file.display());
    }
    anyhow::anyhow!("{} problem(s): nothing was changed", problems.len())
}

#[allow(clippy::print_stdout)]
pub(super) fn check(file: &Path) -> anyhow::Result<()> {
    let (draft, lines) = read(file)?;
    let set = RoutingSet::of(0, &draft).map_err(|problems| refused(file, &problems, &lines))?;
    println!(
        "✔ {} channels, {} rules, {} limits",
        set.channels.len(),
        set.rules.len(),
        draft.limits.len()
    );
    println!("  whether these channels are in a core's settings is checked by apply");
    Ok(())
}
