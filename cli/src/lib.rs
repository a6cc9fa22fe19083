//! `sluice`, the program of operators and risk engineers: it looks at orders, rules,
//! routing, events and breakers, and changes them under a person's own name. Nothing
//! here injects a fault or signs as the core: that is `sluice-drill`'s.

pub mod audit;
pub mod backtest;
pub mod breakers;
pub mod client;
pub mod events;
pub mod guard;
pub mod keys;
pub mod orders;
pub mod reading_bar;
pub mod record;
pub mod routing;
pub mod rules;
pub mod verdicts;

use clap::{Parser, Subcommand};

/// Look after a Sluice: its orders, rules, routing, events and breakers.
#[derive(Debug, Parser)]
#[command(name = "sluice", version)]
pub struct SluiceCli {
    #[command(subcommand)]
    command: SluiceCommand,
}

#[derive(Debug, Subcommand)]
enum SluiceCommand {
    /// Find orders, and tell what happened to them.
    Orders(orders::OrdersArgs),
    /// List breakers; stop a flow of money by hand, and let it go again.
    Breakers(breakers::BreakersArgs),
    /// Sign the guard's rows as they are, after an upgrade or a change by hand.
    Guard(guard::GuardArgs),
    /// Make the key pair by which cores sign transactions; print its public half.
    Keys(keys::KeysArgs),
    /// List what rules found; answer it.
    Verdicts(verdicts::VerdictsArgs),
    /// Check rule files and run their cases; promote and roll back sets; explain a verdict.
    Rules(rules::RulesArgs),
    /// Check, show, change and roll back the routing; explain an order's channel.
    Routing(routing::RoutingArgs),
    /// List the business events that were set aside as dead letters; check one before it is sent.
    Events(events::EventsArgs),
    /// Show how the last audit of the data at rest went, or run one now.
    Audit(audit::AuditArgs),
    /// Record what is committed and told from now on, for backtests.
    Record(record::RecordArgs),
    /// Try rules on a recording: what they would have found and held.
    Backtest(Box<backtest::BacktestArgs>),
}

/// Runs the command that was named; an error's text is for the person who called it.
pub async fn run(cli: SluiceCli) -> anyhow::Result<()> {
    match cli.command {
        SluiceCommand::Orders(options) => orders::run(options).await,
        SluiceCommand::Breakers(options) => breakers::run(options).await,
        SluiceCommand::Guard(options) => guard::run(options).await,
        SluiceCommand::Keys(options) => keys::run(&options),
        SluiceCommand::Verdicts(options) => verdicts::run(options).await,
        SluiceCommand::Rules(options) => rules::run(&options).await,
        SluiceCommand::Routing(options) => routing::run(options).await,
        SluiceCommand::Events(options) => events::run(options).await,
        SluiceCommand::Audit(options) => audit::run(options).await,
        SluiceCommand::Record(options) => record::run(options).await,
        SluiceCommand::Backtest(options) => backtest::run(*options).await,
    }
}
