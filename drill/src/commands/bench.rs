//! `sluice-drill bench`: measures, and writes `bench.json`. Of its parts alone, `routing`
//! is the totals beside a history as long as is asked for, `audit` the checks of data at
//! rest, `backtest` a recorded load tried again, `rules` the rule engine without any server.

use crate::bench;
use crate::bench::replay::{ReplayAudit, ReplayOptions};
use crate::bench::routing::HistoryFill;
use crate::commands::demo::fresh;
use crate::output::json::write_json;
use crate::output::progress::ProgressDisplay;
use sluice_contract::shutdown::interrupted;
use std::path::{Path, PathBuf};
use std::time::Duration;

const BENCH_REPORT_PATH: &str = "target/report/bench.json";
const BACKTEST_REPORT_PATH: &str = "target/report/bench-backtest.json";
const ROUTING_REPORT_PATH: &str = "target/report/bench-routing.json";
const AUDIT_REPORT_PATH: &str = "target/report/bench-audit.json";
const ACCEPT_REPORT_PATH: &str = "target/report/bench-accept.json";
const CATCH_UP_REPORT_PATH: &str = "target/report/bench-catch-up.json";
const OUTBOX_REPORT_PATH: &str = "target/report/bench-outbox.json";
const RESTART_REPORT_PATH: &str = "target/report/bench-restart.json";
const SHADOW_REPORT_PATH: &str = "target/report/bench-shadow.json";
const RULES_REPORT_PATH: &str = "target/report/bench-rules.json";

#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// Folder where the private servers keep their data and logs; emptied first.
    #[arg(long, default_value = ".run/bench")]
    dir: PathBuf,
    #[command(subcommand)]
    only: Option<BenchCommand>,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum BenchCommand {
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
    /// Accepting alone, beside its floor.
    Accept,
    /// Catching up with a binlog from a cold start, beside its floors.
    CatchUp {
        /// Never audits data at rest; by default an audit is due, and gives way.
        #[arg(long)]
        no_audit: bool,
        /// Debezium's engine reads the same binlog; needs Java, and `scripts/kafka debezium`.
        #[arg(long)]
        debezium: bool,
        /// Seconds for which the binlog is written, some 60,000 row changes each.
        #[arg(long, default_value_t = 9)]
        seconds: u64,
    },
    /// A backlog of the outbox, drained by the core's relay.
    Outbox {
        /// Rows of the backlog.
        #[arg(long, default_value_t = 300_000)]
        rows: u64,
    },
    /// A restart with a 24 h window in use: until it vouches, without servers.
    Restart {
        /// Rows that the window holds.
        #[arg(long, default_value_t = 5_000_000)]
        items: u64,
        /// Accounts that they are of.
        #[arg(long, default_value_t = 500_000)]
        accounts: u64,
    },
    /// A rule in shadow that burns its limits: catch-up, fence and lifecycles with and without.
    Shadow,
    /// Cost of hostile rules before they are stopped; 3,000 rules loaded and run.
    Rules {
        /// The folder of rule files.
        #[arg(long, default_value = "rules")]
        rules: PathBuf,
        /// The folder of rules that must be stopped.
        #[arg(long, default_value = "tests/hostile")]
        hostile: PathBuf,
    },
}

pub async fn run(options: BenchArgs) -> anyhow::Result<()> {
    if let Some(BenchCommand::Rules { rules, hostile }) = &options.only {
        return print_report(&bench::rules::measure(rules, hostile)?, RULES_REPORT_PATH);
    }
    if let Some(BenchCommand::Restart { items, accounts }) = &options.only {
        let dir = options.dir.join("restart");
        let figures = bench::restart::measure(&dir, *items, *accounts)?;
        return print_report(&figures, RESTART_REPORT_PATH);
    }
    let progress = ProgressDisplay::new();
    for part in [
        "replay",
        "live",
        "audit",
        "backtest",
        "outbox",
        "split-books",
    ] {
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
    print_report(&figures, report)
}

#[allow(clippy::print_stdout)]
fn print_report(figures: &impl serde::Serialize, report: &str) -> anyhow::Result<()> {
    write_json(Path::new(report), figures)?;
    println!("{}", serde_json::to_string_pretty(figures)?);
    println!("written to {report}");
    Ok(())
}

#[derive(serde::Serialize)]
#[serde(untagged)]
enum BenchResult {
    All(Box<bench::BenchFigures>),
    Routing {
        routing_totals: bench::routing::RoutingFigures,
    },
    Audit {
        audit: bench::audit::AuditFigures,
    },
    Backtest {
        backtest: bench::backtest::BacktestFigures,
    },
    Accepting(bench::accepting::AcceptingFigures),
    CatchUp(bench::replay::ReplayFigures),
    Outbox {
        outbox: bench::outbox::OutboxFigures,
    },
    Shadow(Box<bench::shadow_burner::ShadowFigures>),
}

/// The figures, and where they belong.
async fn measure(
    options: &BenchArgs,
    progress: &ProgressDisplay,
) -> anyhow::Result<(BenchResult, &'static str)> {
    match options.only {
        // Told already: it needs no server.
        None | Some(BenchCommand::Rules { .. } | BenchCommand::Restart { .. }) => Ok((
            BenchResult::All(Box::new(bench::run(&options.dir, progress).await?)),
            BENCH_REPORT_PATH,
        )),
        Some(BenchCommand::Routing { past, fill }) => {
            let fill = HistoryFill {
                orders: past,
                max_time: Duration::from_secs(fill),
            };
            let routing_totals =
                bench::routing::measure(&options.dir.join("routing"), progress, fill).await?;
            Ok((BenchResult::Routing { routing_totals }, ROUTING_REPORT_PATH))
        }
        Some(BenchCommand::Accept) => Ok((
            BenchResult::Accepting(bench::accepting::measure(&options.dir, progress).await?),
            ACCEPT_REPORT_PATH,
        )),
        Some(BenchCommand::CatchUp {
            no_audit,
            debezium,
            seconds,
        }) => {
            let audit = match no_audit {
                true => ReplayAudit::Never,
                false => ReplayAudit::Due,
            };
            let readers = ReplayOptions {
                audit,
                debezium,
                ..ReplayOptions::default()
            };
            let caught_up = bench::catch_up(
                &options.dir,
                progress,
                (Duration::from_secs(seconds), readers),
            )
            .await?;
            Ok((BenchResult::CatchUp(caught_up), CATCH_UP_REPORT_PATH))
        }
        Some(BenchCommand::Shadow) => {
            let figures = bench::shadow_burner::measure(&options.dir, progress).await?;
            Ok((BenchResult::Shadow(Box::new(figures)), SHADOW_REPORT_PATH))
        }
        Some(BenchCommand::Outbox { rows }) => {
            let dir = options.dir.join("outbox");
            let outbox = bench::outbox::measure(&dir, progress, rows).await?;
            Ok((BenchResult::Outbox { outbox }, OUTBOX_REPORT_PATH))
        }
        Some(BenchCommand::Backtest { rate, seconds }) => {
            let (dir, time) = (options.dir.join("backtest"), Duration::from_secs(seconds));
            let backtest = bench::backtest::measure(&dir, progress, rate, time).await?;
            Ok((BenchResult::Backtest { backtest }, BACKTEST_REPORT_PATH))
        }
        Some(BenchCommand::Audit {
            accounts,
            orders,
            rate,
        }) => {
            let rest = bench::audit::AuditLoad {
                accounts,
                orders,
                rate,
            };
            let audit = bench::audit::measure(&options.dir.join("audit"), progress, rest).await?;
            Ok((BenchResult::Audit { audit }, AUDIT_REPORT_PATH))
        }
    }
}
