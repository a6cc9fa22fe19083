//! The subcommands of `sluice-drill`, one file each.

mod bench;
mod channel;
mod demo;
pub mod first_calls;
mod kafka;
mod up;

use clap::{Parser, Subcommand};

/// Drill a Sluice: demo, simulators, load, faults and benchmarks on servers of its own.
#[derive(Debug, Parser)]
#[command(name = "sluice-drill", version)]
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
}

impl DrillCli {
    /// A server logs; what a person watches on a terminal speaks for itself.
    pub fn usual_log(&self) -> &'static str {
        match self.command {
            DrillCommand::Channel(_) => "info",
            DrillCommand::Demo(_)
            | DrillCommand::Up(_)
            | DrillCommand::Bench(_)
            | DrillCommand::Kafka(_) => "error,sluice_core=off",
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
    }
}
