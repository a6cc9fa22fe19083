//! `sluice keys`: the key pair by which cores sign transactions. The private half goes to the
//! cores alone, the line of the public one to everybody who verifies.

use clap::Subcommand;
use sluice_contract::transaction_key::TransactionKeyPair;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    verb: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a private key in a new file that only you can read, and print the line of its public
    /// half, for `transaction_public_keys` of every sidecar. Nothing is replaced.
    New {
        /// The private key's file: a core's `transaction_key`.
        file: PathBuf,
    },
    /// Print the line of a private key's public half again.
    Public {
        /// The private key's file.
        file: PathBuf,
    },
}

/// Prints the line of the public half.
#[allow(clippy::print_stdout)]
pub fn run(options: &KeysArgs) -> anyhow::Result<()> {
    let pair = match &options.verb {
        KeysCommand::New { file } => TransactionKeyPair::create(file)?,
        KeysCommand::Public { file } => TransactionKeyPair::read(file)?,
    };
    println!("{}", pair.public().line());
    Ok(())
}
