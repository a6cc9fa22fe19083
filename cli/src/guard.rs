//! `sluice guard seal`: a person vouches for the rows of the guard schema as they are.

use crate::client::{OperatorClient, SidecarArgs, text_of};
use clap::Subcommand;
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct GuardArgs {
    #[command(subcommand)]
    verb: GuardCommand,
    #[command(flatten)]
    sidecar: SidecarArgs,
}

#[derive(Debug, Subcommand)]
enum GuardCommand {
    /// Sign breakers, suppressions and the rule set in force as they are: after an upgrade from
    /// a release that did not sign them, once no program of it runs; or after somebody changed
    /// them by hand, once you have looked at each. From then on no unsigned row is obeyed.
    Seal {
        /// Why; it is written down beside your name.
        #[arg(long)]
        reason: String,
        /// From a minute from now on each ledger entry must have a core's seal. Say it once all
        /// cores write them, and no core of before will run again: what such a core books from
        /// then on is taken for a stranger's. There is no way back.
        #[arg(long)]
        entries: bool,
    },
}

/// Calls the sidecar and prints its answer; a refusal is an error that says why.
#[allow(clippy::print_stdout)]
pub async fn run(options: GuardArgs) -> anyhow::Result<()> {
    let client = OperatorClient::new(&options.sidecar)?;
    let GuardCommand::Seal { reason, entries } = options.verb;
    let sealed = client
        .post(
            "/guard/seal",
            json!({ "reason": reason, "entries": entries }),
        )
        .await?;
    println!("sealed, version {}", text_of(&sealed["sealed"]));
    if sealed["entriesFromUs"].is_null() {
        println!(
            "ledger entries need no seal yet: once no core of before the seals runs, say --entries"
        );
    }
    Ok(())
}
