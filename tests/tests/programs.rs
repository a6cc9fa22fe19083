//! Two programs: `sluice` looks after a Sluice, `sluice-drill` alone can harm one.

use anyhow::{Context, ensure};
use sluice_drill::setup::process::binary;
use sluice_tests::top;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The words of `sluice`: orders and rules are looked at and decided by people.
const OPERATOR_WORDS: [&str; 11] = [
    "orders", "breakers", "guard", "keys", "rules", "verdicts", "routing", "events", "audit",
    "record", "backtest",
];
/// The words of `sluice-drill`: each starts servers, load or faults of its own.
const DRILL_WORDS: [&str; 5] = ["channel", "demo", "up", "bench", "kafka"];

/// Words of code that injects a fault, kills a process, or signs as the core does.
const FORBIDDEN_IN_CLI: [&str; 11] = [
    "sluice_drill",
    "faults::",
    "FaultKind",
    "kill_process",
    "unit_of_work",
    "UnitOfWork",
    "commit_sql",
    "signing::",
    "provenance::",
    "TransactionSigner",
    "SimulatorKind",
];
/// Crates that only load, faults and simulators need.
const HEAVY_CRATES: [&str; 6] = [
    "sluice-drill",
    "rdkafka",
    "axum",
    "rustix",
    "hdrhistogram",
    "tempfile",
];

fn sources(under: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(under).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

/// The subcommands that `--help` lists.
fn words_of(program: &str) -> anyhow::Result<BTreeSet<String>> {
    let ran = Command::new(binary(program)?).arg("--help").output()?;
    ensure!(ran.status.success(), "{program} --help: {}", ran.status);
    let text = String::from_utf8(ran.stdout)?;
    let (_, commands) = text
        .split_once("Commands:")
        .context("no command is listed")?;
    let (commands, _) = commands
        .split_once("Options:")
        .context("no option is listed")?;
    // A word stands two columns in; what it means goes on further right.
    let word = |line: &str| {
        let rest = line.strip_prefix("  ")?;
        let word = rest.split(' ').next().filter(|word| !word.is_empty())?;
        Some(word.to_owned())
    };
    let help = "help".to_owned();
    Ok(commands
        .lines()
        .filter_map(word)
        .filter(|word| *word != help)
        .collect())
}

#[test]
fn each_program_has_the_words_that_belong_to_it() -> anyhow::Result<()> {
    for (program, words) in [
        ("sluice", OPERATOR_WORDS.as_slice()),
        ("sluice-drill", DRILL_WORDS.as_slice()),
    ] {
        let expected: BTreeSet<String> = words.iter().map(|word| (*word).to_owned()).collect();
        ensure!(
            words_of(program)? == expected,
            "{program} has the words {:?}",
            words_of(program)?
        );
    }
    let foreign = Command::new(binary("sluice")?).arg("demo").output()?;
    ensure!(!foreign.status.success(), "sluice knows demo");
    Ok(())
}

#[test]
fn the_operators_program_can_neither_inject_a_fault_nor_sign_as_the_core() -> anyhow::Result<()> {
    let manifest = std::fs::read_to_string(top().join("cli/Cargo.toml"))?;
    for name in HEAVY_CRATES {
        let named = manifest.lines().any(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
        });
        ensure!(!named, "cli/Cargo.toml names {name}");
    }
    let files = sources(&top().join("cli/src"));
    ensure!(files.len() > 20, "only {} files were found", files.len());
    for path in files {
        let code = std::fs::read_to_string(&path)?;
        for word in FORBIDDEN_IN_CLI {
            ensure!(!code.contains(word), "{} says {word}", path.display());
        }
    }
    Ok(())
}

#[test]
fn every_dependency_is_pinned_once_for_all_crates() -> anyhow::Result<()> {
    for name in ["cli", "drill", "tests"] {
        let manifest = std::fs::read_to_string(top().join(name).join("Cargo.toml"))?;
        let (_, dependencies) = manifest
            .split_once("[dependencies]")
            .context("no dependencies")?;
        let own = |line: &&str| !line.is_empty() && !line.starts_with('#');
        for line in dependencies.lines().filter(own) {
            ensure!(
                line.ends_with(".workspace = true"),
                "{name}/Cargo.toml pins by itself: {line}"
            );
        }
    }
    Ok(())
}
