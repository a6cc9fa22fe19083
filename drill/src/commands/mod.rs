//! The subcommands of `sluice`, one file each.

mod bench;
mod channel;
mod demo;
mod junit;
mod orders;
mod routing;
mod rules;
mod up;

use clap::{Parser, Subcommand};

/// Drills, simulators and load for the Sluice withdrawal core.
#[derive(Debug, Parser)]
#[command(name = "sluice", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the NetsUnion-like, UnionPay-like and payout API's simulators.
    Channel(channel::Options),
    /// Play the story: healthy load, five faults found and stopped, books compared.
    Demo(demo::Options),
    /// Start the demo's stage and keep it until Ctrl-C.
    Up(up::Options),
    /// Measure, each figure beside its floor.
    Bench(bench::Options),
    /// Find orders, and tell what happened to them.
    Orders(orders::Options),
    /// Check rule files, run their cases, tell what these have not seen.
    Rules(rules::Options),
    /// Check, show, change and take back the routing; explain an order's channel.
    Routing(routing::Options),
}

impl Cli {
    /// A server logs; what a person watches on a terminal speaks for itself.
    pub fn usual_log(&self) -> &'static str {
        match self.command {
            Command::Channel(_) => "info",
            _ => "error,sluice_core=off",
        }
    }
}

pub async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Channel(options) => channel::run(options).await,
        Command::Demo(options) => demo::run(options).await,
        Command::Up(options) => up::run(options).await,
        Command::Bench(options) => bench::run(options).await,
        Command::Orders(options) => orders::run(options).await,
        Command::Rules(options) => rules::run(&options),
        Command::Routing(options) => routing::run(options).await,
    }
}
