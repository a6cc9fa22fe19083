//! `sluice rules`: rule files are checked on this machine, rule sets in force are looked
//! at and changed at a sidecar.

mod files;
mod junit;
mod set_text;
mod sets;
mod verdict_text;

use crate::client::SidecarArgs;
use clap::Subcommand;
use serde_json::Value;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct RulesArgs {
    #[command(subcommand)]
    verb: RulesCommand,
    /// The folder of rule files.
    #[arg(long, default_value = "rules", global = true)]
    dir: PathBuf,
    #[command(flatten)]
    sidecar: SidecarArgs,
}

#[derive(Debug, Subcommand)]
enum RulesCommand {
    /// Load all rules as the sidecar does, and name what is wrong.
    Check,
    /// Run every rule's cases.
    Test {
        /// Write the results to this file too, in JUnit's format.
        #[arg(long)]
        junit: Option<PathBuf>,
    },
    /// Tell which branches no case has seen both ways.
    Coverage {
        /// Least percent of every file; below it the command fails.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u8).range(0..=100))]
        min: u8,
    },
    #[command(flatten)]
    Sets(sets::RuleSetsCommand),
}

/// Runs one verb; an error is for the person who called it.
pub async fn run(options: &RulesArgs) -> anyhow::Result<()> {
    match &options.verb {
        RulesCommand::Sets(verb) => sets::run(verb, &options.sidecar).await,
        RulesCommand::Check => files::check(&options.dir),
        RulesCommand::Test { junit } => files::test(&options.dir, junit.as_deref()),
        RulesCommand::Coverage { min } => files::cover(&options.dir, usize::from(*min)),
    }
}

/// The items of a JSON list; none of anything else.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Appends a formatted line to a `String`.
macro_rules! line {
    ($text:expr, $($rest:tt)*) => {
        // Writing into a String can't fail.
        let _ = writeln!($text, $($rest)*);
    };
}

use line;
