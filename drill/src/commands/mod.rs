//! The subcommands of `sluice`, one file each.

mod bench;
mod channel;
mod demo;
mod kafka;
mod up;

use clap::{Parser, Subcommand};

/// Drills, simulators and load for the Sluice withdrawal core.
#[derive(Debug, Parser)]
#[command(name = "sluice", version)]
pub struct DrillCli {
    #[command(subcommand)]
    command: DrillCommand,
}

#[derive(Debug, Subcommand)]
enum DrillCommand {
    /// Run the NetsUnion-like, UnionPay-like and payout API's simulators.
    Channel(channel::ChannelArgs),
    /// Play the story: healthy load, five faults found and stopped, books compared.
    Demo(demo::DemoArgs),
    /// Start the demo's stage and keep it until Ctrl-C.
    Up(up::UpArgs),
    /// Measure, each figure beside its floor.
    Bench(bench::BenchArgs),
    /// Start a real Apache Kafka and keep it until Ctrl-C.
    Kafka(kafka::KafkaArgs),
    /// Show the business events that were set aside; check one against its schema.
    Events(crate::cli::events::EventsArgs),
    /// Find orders, and tell what happened to them.
    Orders(crate::cli::orders::OrdersArgs),
    /// Check rule files, run their cases; see, promote and take back what is in force; explain a verdict.
    Rules(crate::cli::rules::RulesArgs),
    /// Check all data at rest now, or show how the last check went.
    Audit(crate::cli::audit::AuditArgs),
    /// Keep what is committed and told from now on, for backtests.
    Record(crate::cli::record::RecordArgs),
    /// Try rules on a recording: what they would have found and held.
    Backtest(Box<crate::cli::backtest::BacktestArgs>),
    /// Check, show, change and take back the routing; explain an order's channel.
    Routing(crate::cli::routing::RoutingArgs),
}

impl DrillCli {
    /// A server logs; what a person watches on a terminal speaks for itself.
    pub fn usual_log(&self) -> &'static str {
        match self.command {
            DrillCommand::Channel(_) => "info",
            _ => "error,sluice_core=off",
        }
    }
}

pub async fn run(cli: DrillCli) -> anyhow::Result<()> {
    match cli.command {
        DrillCommand::Channel(options) => channel::run(options).await,
        DrillCommand::Demo(options) => demo::run(options).await,
        DrillCommand::Up(options) => up::run(options).await,
        DrillCommand::Bench(options) => bench::run(options).await,
        DrillCommand::Kafka(options) => kafka::run(options).await,
        DrillCommand::Events(options) => crate::cli::events::run(options).await,
        DrillCommand::Orders(options) => crate::cli::orders::run(options).await,
        DrillCommand::Rules(options) => crate::cli::rules::run(&options).await,
        DrillCommand::Audit(options) => crate::cli::audit::run(options).await,
        DrillCommand::Record(options) => crate::cli::record::run(options).await,
        DrillCommand::Backtest(options) => crate::cli::backtest::run(*options).await,
        DrillCommand::Routing(options) => crate::cli::routing::run(options).await,
    }
}
