//! The subcommands of `sluice`, one file each.

mod backtest;
mod backtest_table;
mod bench;
mod channel;
mod demo;
mod events;
mod junit;
mod kafka;
mod orders;
mod record;
mod routing;
mod rule_sets;
mod rule_text;
mod rules;
mod snapshot;
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
    /// Start a real Apache Kafka and keep it until Ctrl-C.
    Kafka(kafka::Options),
    /// Show the business events that were set aside; check one against its schema.
    Events(events::Options),
    /// Find orders, and tell what happened to them.
    Orders(orders::Options),
    /// Check rule files, run their cases; see, promote and take back what is in force; explain a verdict.
    Rules(rules::Options),
    /// Check all data at rest now, or show how the last check went.
    Audit(snapshot::Options),
    /// Keep what is committed and told from now on, for backtests.
    Record(record::Options),
    /// Try rules on a recording: what they would have found and held.
    Backtest(Box<backtest::Options>),
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
        Command::Kafka(options) => kafka::run(options).await,
        Command::Events(options) => events::run(options).await,
        Command::Orders(options) => orders::run(options).await,
        Command::Rules(options) => rules::run(&options).await,
        Command::Audit(options) => snapshot::run(options).await,
        Command::Record(options) => record::run(options).await,
        Command::Backtest(options) => backtest::run(*options).await,
        Command::Routing(options) => routing::run(options).await,
    }
}
