//! `sluice bench`: measures, and writes `bench.json`. `sluice bench routing`: only
//! the routing totals, beside a history as long as is asked for. `sluice bench
//! audit`: only the checks of data at rest. `sluice bench backtest`: a recorded
//! load, tried again. `sluice bench rules`: only the rule engine, without any server.

use super::demo::fresh;
use crate::bench::{self, routing::Fill};
use crate::setup::process::interrupted;
use crate::story::{progress::Progress, report::write_json};
use std::path::{Path, PathBuf};
use std::time::Duration;

const REPORT: &str = "target/report/bench.json";
const BACKTEST_REPORT: &str = "target/report/bench-backtest.json";
const ROUTING_REPORT: &str = "target/report/bench-routing.json";
const SNAPSHOT_REPORT: &str = "target/report/bench-audit.json";
const RULES_REPORT: &str = "target/report/bench-rules.json";

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Where the private servers keep their data and logs; emptied first.
    #[arg(long, default_value = ".run/bench")]
    dir: PathBuf,
    #[command(subcommand)]
    only: Option<Only>,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Only {
    /// Claims per second beside few and beside very many past orders.
    Routing {
        /// Past orders to make.
        #[arg(long, default_value_t = 10_000_000)]
        past: u64,
        /// Seconds to spend on making them; as many as fit are made.
        #[arg(long, default_value_t = 400)]
        fill: u64,
    },
    /// A run over all accounts beside live load.
    Audit {
        /// Accounts at rest.
        #[arg(long, default_value_t = 1_000_000)]
        accounts: u64,
        /// Orders of each, with four entries; its deposit has two more.
        #[arg(long, default_value_t = 1)]
        orders: u64,
        /// Orders a second beside it.
        #[arg(long, default_value_t = 300)]
        rate: u64,
    },
    /// Row changes per second of a backtest over a recorded load.
    Backtest {
        /// Orders a second to record, some 27 row changes each.
        #[arg(long, default_value_t = 1_500)]
        rate: u64,
        /// Seconds to record.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
    /// What hostile rules cost before they are stopped; 3,000 rules loaded and run.
    Rules {
        /// The folder of rule files.
        #[arg(long, default_value = "rules")]
        rules: PathBuf,
        /// The folder of rules that must be stopped.
        #[arg(long, default_value = "tests/hostile")]
        hostile: PathBuf,
    },
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    if let Some(Only::Rules { rules, hostile }) = &options.only {
        return told(&bench::rules::measure(rules, hostile)?, RULES_REPORT);
    }
    let progress = Progress::new();
    for part in ["replay", "live", "audit", "backtest"] {
        fresh(&options.dir.join(part))?;
    }
    let routing = options.dir.join("routing");
    if routing.join("mariadb").is_dir() {
        std::fs::remove_dir_all(&routing)?;
    }
    let interrupted = interrupted()?;
    let figures = tokio::select! {
        figures = measure(&options, &progress) => figures,
        () = interrupted.cancelled() => Err(anyhow::anyhow!("interrupted; everything that was started is stopped")),
    };
    progress.finish();
    let (figures, report) = figures?;
    told(&figures, report)
}

#[allow(clippy::print_stdout)]
fn told(figures: &impl serde::Serialize, report: &str) -> anyhow::Result<()> {
    write_json(Path::new(report), figures)?;
    println!("{}", serde_json::to_string_pretty(figures)?);
    println!("written to {report}");
    Ok(())
}

#[derive(serde::Serialize)]
#[serde(untagged)]
enum Measured {
    All(Box<bench::Figures>),
    Routing {
        routing_totals: bench::routing::RoutingTotals,
    },
    Audit {
        audit: bench::snapshot::Figures,
    },
    Backtest {
        backtest: bench::backtest::Backtest,
    },
}

/// The figures, and where they belong.
async fn measure(
    options: &Options,
    progress: &Progress,
) -> anyhow::Result<(Measured, &'static str)> {
    match options.only {
        // Told already: it needs no server.
        None | Some(Only::Rules { .. }) => Ok((
            Measured::All(Box::new(bench::run(&options.dir, progress).await?)),
            REPORT,
        )),
        Some(Only::Routing { past, fill }) => {
            let fill = Fill {
                orders: past,
                most: Duration::from_secs(fill),
            };
            let routing_totals =
                bench::routing::measure(&options.dir.join("routing"), progress, fill).await?;
            Ok((Measured::Routing { routing_totals }, ROUTING_REPORT))
        }
        Some(Only::Backtest { rate, seconds }) => {
            let (dir, time) = (options.dir.join("backtest"), Duration::from_secs(seconds));
            let backtest = bench::backtest::measure(&dir, progress, rate, time).await?;
            Ok((Measured::Backtest { backtest }, BACKTEST_REPORT))
        }
        Some(Only::Audit {
            accounts,
            orders,
            rate,
        }) => {
            let rest = bench::snapshot::AtRest {
                accounts,
                orders,
                rate,
            };
            let audit =
                bench::snapshot::measure(&options.dir.join("audit"), progress, rest).await?;
            Ok((Measured::Audit { audit }, SNAPSHOT_REPORT))
        }
    }
}
