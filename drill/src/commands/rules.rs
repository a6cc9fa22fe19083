//! `sluice rules check | test`: what a risk engineer runs before saving a rule.

use super::rule_sets;
use anyhow::bail;
use clap::Subcommand;
use sluice_contract::settings::Secret;
use sluice_sidecar::rules::{RuleSet, run_cases};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(subcommand)]
    verb: Verb,
    /// The folder of rule files.
    #[arg(long, default_value = "rules", global = true)]
    dir: PathBuf,
    #[command(flatten)]
    sidecar: rule_sets::Sidecar,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Load all rules as the sidecar does, and name what is wrong.
    Check,
    /// Run every rule's cases.
    Test,
    #[command(flatten)]
    Sets(rule_sets::Verb),
}

#[allow(clippy::print_stdout)]
pub async fn run(options: &Options) -> anyhow::Result<()> {
    match &options.verb {
        Verb::Sets(verb) => rule_sets::run(verb, &options.sidecar).await?,
        Verb::Check => {
            // No transaction is verified by loading, so any key will do.
            let set = RuleSet::load(&options.dir, Secret::new("rules-are-only-loaded"))?;
            for rule in set.rules() {
                println!("{:<28} {:<6} {}", rule.id, rule.mode.as_str(), rule.guards);
            }
            println!("{} rules, set {}", set.rules().count(), set.hash());
        }
        Verb::Test => {
            let results = run_cases(&options.dir)?;
            for result in &results {
                println!("{} {:<28} {}", if result.passed { "✔" } else { "✘" }, result.rule, result.case);
                if !result.passed {
                    println!("    {}", result.detail);
                }
            }
            let failed = results.iter().filter(|r| !r.passed).count();
            if failed > 0 {
                bail!("{failed} of {} cases failed", results.len());
            }
            println!("{} cases passed", results.len());
        }
    }
    Ok(())
}
