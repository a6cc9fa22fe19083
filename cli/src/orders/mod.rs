//! `sluice orders stuck | show | history`: an operator's questions about orders. They
//! read the database with the core's own settings and change nothing.

mod history;
mod show;
mod stuck;

use anyhow::{Context, bail};
use clap::Subcommand;
use sluice_core::config::CoreConfig;
use sluice_core::lookup::{OrderLookup, clients};
use sluice_core::orders::Order;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct OrdersArgs {
    #[command(subcommand)]
    verb: OrdersCommand,
    /// The core's settings file.
    #[arg(
        long,
        env = "SLUICE_CORE_CONFIG",
        default_value = "core.toml",
        global = true
    )]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum OrdersCommand {
    /// List orders that have not ended, by stage: their age and what they wait for.
    Stuck {
        /// Leave out younger ones, as in `60s`, `5m` or `2h`.
        #[arg(long, default_value = "0s")]
        older: jiff::SignedDuration,
    },
    /// Show everything about an order: its row, route, attempts, postings and cases.
    Show {
        /// Order id, serial number, transaction id, idempotent key, or the upstream's own number.
        id: String,
    },
    /// Tell what happened to an order, a line each, oldest first.
    History {
        /// As for `show`.
        id: String,
    },
}

/// Prints the answer to one question.
#[allow(clippy::print_stdout)]
pub async fn run(options: OrdersArgs) -> anyhow::Result<()> {
    let config = load(&options.config)?;
    let lookup = OrderLookup::open(&config)?;
    let text = match &options.verb {
        OrdersCommand::Stuck { older } => {
            stuck::stuck(&lookup, &config, i64::try_from(older.as_micros())?).await?
        }
        OrdersCommand::Show { id } => each(&lookup, &config, id, show::show).await?,
        OrdersCommand::History { id } => each(&lookup, &config, id, history::history).await?,
    };
    print!("{text}");
    Ok(())
}

fn load(path: &Path) -> anyhow::Result<CoreConfig> {
    CoreConfig::load(path).context("--config: the core's settings file, as sluice-core gets it")
}

/// UTC, to the millisecond.
fn time(us: i64) -> String {
    let at = jiff::Timestamp::from_microsecond(us).unwrap_or_default();
    at.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string()
}

/// Tells of every order that the id stands for.
async fn each(
    lookup: &OrderLookup,
    config: &CoreConfig,
    id: &str,
    tell: impl AsyncFn(&OrderLookup, &Order) -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    let found = lookup.find(id, &clients(config)).await?;
    if found.is_empty() {
        bail!("{id} is no order's id, serial number, transaction id, key or business number");
    }
    let mut text = String::new();
    for (at, order) in found.iter().enumerate() {
        if found.len() > 1 {
            text += &format!(
                "{}── {} of {}\n",
                if at > 0 { "\n" } else { "" },
                at + 1,
                found.len()
            );
        }
        text += &tell(lookup, order).await?;
    }
    Ok(text)
}
