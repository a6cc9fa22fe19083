//! `sluice routing`: what decides by which channel an order goes. Checks, shows,
//! changes and takes back the configuration, and explains single orders.

use anyhow::{Context, bail, ensure};
use clap::Subcommand;
use mysql_async::Conn;
use sluice_contract::clock::{now_us, trade_time};
use sluice_contract::ids::{MAX_ID_BYTES, is_plain};
use sluice_contract::order::{OrderKind, OrderState};
use sluice_contract::sql;
use sluice_core::config::CoreConfig;
use sluice_core::guard::breakers;
use sluice_core::orders::{self, Order};
use sluice_core::routing::change::{self, RoutingChangeNote};
use sluice_core::routing::totals::{LimitTotals, keys};
use sluice_core::routing::{
    ChannelStatus, Route, RouteDecision, RoutingDraft, RoutingProblem, RoutingSet, active, choose,
    file, repo,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, clap::Args)]
pub struct RoutingArgs {
    #[command(subcommand)]
    verb: RoutingCommand,
    /// The core's settings file: names the database and the channels.
    #[arg(
        long,
        global = true,
        env = "SLUICE_CORE_CONFIG",
        default_value = "core.toml"
    )]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum RoutingCommand {
    /// Check a configuration file and name every problem. Needs no database.
    Check { file: PathBuf },
    /// Check a file, show what it changes, and put it in force as a new version.
    Apply {
        file: PathBuf,
        #[command(flatten)]
        by: AuthorArgs,
    },
    /// Print the configuration in force as a file that can be changed and applied.
    Show {
        /// This version instead.
        version: Option<i64>,
    },
    /// List all versions and when each was in force, by whom and why.
    History,
    /// Put an older version in force again; 0 is "no configuration".
    Rollback {
        version: i64,
        #[command(flatten)]
        by: AuthorArgs,
    },
    /// Say why an order took its channel, or why none takes it.
    Explain { order: String },
}

#[derive(Debug, clap::Args)]
struct AuthorArgs {
    /// Who changes it.
    #[arg(long)]
    author: String,
    /// Why.
    #[arg(long)]
    reason: String,
}

impl AuthorArgs {
    fn by(self) -> RoutingChangeNote {
        RoutingChangeNote {
            author: self.author,
            reason: self.reason,
        }
    }
}

pub async fn run(options: RoutingArgs) -> anyhow::Result<()> {
    if let RoutingCommand::Check { file } = &options.verb {
        return check(file);
    }
    let config = CoreConfig::load(&options.config)?;
    let database = config.schemas()?.orders;
    let mut conn = Conn::new(sql::options(&config.mysql.url)?.db_name(Some(database)))
        .await
        .with_context(|| {
            format!(
                "{}: can't reach the database of mysql.url",
                options.config.display()
            )
        })?;
    let done = match options.verb {
        RoutingCommand::Check { .. } => Ok(()),
        RoutingCommand::Apply { file, by } => apply(&mut conn, &config, &file, &by.by()).await,
        RoutingCommand::Show { version } => show(&mut conn, version).await,
        RoutingCommand::History => history(&mut conn).await,
        RoutingCommand::Rollback { version, by } => rollback(&mut conn, version, &by.by()).await,
        RoutingCommand::Explain { order } => explain(&mut conn, &config, &order).await,
    };
    conn.disconnect().await?;
    done
}

fn read(file: &Path) -> anyhow::Result<(RoutingDraft, file::RoutingLineNumbers)> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
    file::parse(&text)
        .map_err(|problems| refused(file, &problems, &file::RoutingLineNumbers::new()))
}

#[allow(clippy::print_stdout)]
fn refused(
    file: &Path,
    problems: &[RoutingProblem],
    lines: &file::RoutingLineNumbers,
) -> anyhow::Error {
    for problem in problems {
        let line = lines
            .get(&problem.place)
            .map_or(String::new(), |n| format!(":{n}"));
        println!("✘ {}{line}: {problem}", file.display());
    }
    anyhow::anyhow!("{} problem(s): nothing was changed", problems.len())
}

#[allow(clippy::print_stdout)]
fn check(file: &Path) -> anyhow::Result<()> {
    let (draft, lines) = read(file)?;
    let set = RoutingSet::of(0, &draft).map_err(|problems| refused(file, &problems, &lines))?;
    println!(
        "✔ {} channels, {} rules, {} limits",
        set.channels.len(),
        set.rules.len(),
        draft.limits.len()
    );
    println!("  whether these channels are in a core's settings is checked by apply");
    Ok(())
}

async fn draft_of(conn: &mut Conn, version: i64) -> anyhow::Result<RoutingDraft> {
    if version == 0 {
        return Ok(RoutingDraft::default());
    }
    let found = repo::load(conn, version).await?;
    Ok(found
        .with_context(|| format!("there is no version {version}: see `sluice routing history`"))?
        .1)
}

#[allow(clippy::print_stdout)]
async fn apply(
    conn: &mut Conn,
    config: &CoreConfig,
    file: &Path,
    by: &RoutingChangeNote,
) -> anyhow::Result<()> {
    let (draft, lines) = read(file)?;
    let problems = change::check(&draft, config.channels.iter().map(|c| c.id.as_str()));
    if !problems.is_empty() {
        return Err(refused(file, &problems, &lines));
    }
    let seen = repo::active_version(conn).await?;
    let before = draft_of(conn, seen).await?;
    ensure!(
        seen == 0 || before != draft,
        "version {seen}, in force now, says just the same: nothing to change"
    );
    print_changes(&before, &draft, seen == 0);
    let version = change::publish(conn, &draft, seen, by, now_us()).await?;
    println!(
        "version {version} is in force; back again: sluice routing rollback {seen} --author … --reason …"
    );
    Ok(())
}

#[allow(clippy::print_stdout)]
fn print_changes(before: &RoutingDraft, after: &RoutingDraft, first: bool) {
    let old = if first {
        Default::default()
    } else {
        before.items()
    };
    let new = after.items();
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let short = |text: &String| {
            if text.chars().count() > 90 {
                text.chars().take(89).chain(['…']).collect()
            } else {
                text.clone()
            }
        };
        match (old.get(name), new.get(name)) {
            (Some(was), Some(is)) if was == is => {}
            (Some(was), Some(is)) => {
                println!("~ {name:<34} {}\n  {:<34} {}", short(was), "→", short(is))
            }
            (Some(was), None) => println!("- {name:<34} {}", short(was)),
            (None, Some(is)) => println!("+ {name:<34} {}", short(is)),
            (None, None) => {}
        }
    }
}

#[allow(clippy::print_stdout)]
async fn show(conn: &mut Conn, version: Option<i64>) -> anyhow::Result<()> {
    let version = match version {
        Some(version) => version,
        None => repo::active_version(conn).await?,
    };
    if version == 0 {
        println!(
            "# Nothing is configured: the channels of the core's settings, in their order, without rules."
        );
        return Ok(());
    }
    println!(
        "# version {version}\n{}",
        file::write(&draft_of(conn, version).await?)?
    );
    Ok(())
}

#[allow(clippy::print_stdout)]
async fn history(conn: &mut Conn) -> anyhow::Result<()> {
    let active = repo::active_version(conn).await?;
    println!(
        "{:<9} {:<16} {:<18} reason",
        "version", "written (UTC)", "author"
    );
    for row in repo::versions(conn).await? {
        let mark = if row.version == active { "*" } else { "" };
        let written = time(row.created_us)?;
        println!(
            "{:<9} {written:<16} {:<18} {}",
            format!("{}{mark}", row.version),
            row.author,
            row.reason
        );
    }
    println!(
        "\n{:<9} {:<16} {:<18} reason",
        "in force", "since (UTC)", "by"
    );
    for row in repo::activations(conn).await? {
        let change = format!("{}→{}", row.previous, row.version);
        println!(
            "{change:<9} {:<16} {:<18} {}",
            time(row.activated_us)?,
            row.author,
            row.reason
        );
    }
    Ok(())
}

fn time(at_us: i64) -> anyhow::Result<String> {
    let text = trade_time(at_us, "UTC")?;
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default().to_owned();
    Ok(format!(
        "{}-{}-{} {}:{}",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 12)
    ))
}

#[allow(clippy::print_stdout)]
async fn rollback(conn: &mut Conn, version: i64, by: &RoutingChangeNote) -> anyhow::Result<()> {
    let seen = repo::active_version(conn).await?;
    let (before, after) = (draft_of(conn, seen).await?, draft_of(conn, version).await?);
    print_changes(&before, &after, false);
    change::rollback(conn, version, by, now_us()).await?;
    println!("version {version} is in force again");
    Ok(())
}

#[allow(clippy::print_stdout)]
async fn explain(conn: &mut Conn, config: &CoreConfig, id: &str) -> anyhow::Result<()> {
    ensure!(is_plain(id, MAX_ID_BYTES), "{id:?} is no order id");
    let Some(order) = orders::repo::find(conn, id).await? else {
        bail!("there is no order {id}")
    };
    println!(
        "order {id}: {} of {} {} for {}, {}",
        order.kind.as_str(),
        order.amount.normalize(),
        order.currency,
        order.account_id,
        order.shown()
    );
    if order.kind == OrderKind::Settlement {
        println!("a settlement stays within the books: it is not routed");
        return Ok(());
    }
    match Route::read(order.route.as_deref()) {
        Some(route) => print_route("as it was decided", &route),
        None => println!("nothing was decided yet"),
    }
    if order.state == OrderState::Init && !order.was_sent() {
        match now(conn, config, &order).await? {
            Ok(decision) => {
                print_route("as it would be decided now", &decision.route);
                if decision.fails {
                    println!("no channel will ever take it: it fails");
                }
            }
            Err(reason) => println!("now nothing can be decided: {reason}"),
        }
    }
    Ok(())
}

#[allow(clippy::print_stdout)]
fn print_route(when: &str, route: &Route) {
    println!(
        "\n{when}, by version {}\n{:<12} {:<9} {:<36} reason",
        route.version, "candidate", "verdict", "rule"
    );
    for r in &route.rejected {
        println!(
            "{:<12} {:<9} {:<36} {}",
            r.channel, "rejected", r.by, r.reason
        );
    }
    match &route.chosen {
        Some(chosen) => println!("{chosen:<12} {:<9}", "chosen"),
        None => println!("{:<12} {:<9}", "-", "none"),
    }
}

/// What a claim would decide: the same code, without its locks.
async fn now(
    conn: &mut Conn,
    config: &CoreConfig,
    order: &Order,
) -> anyhow::Result<Result<RouteDecision, String>> {
    let version = repo::active_version(conn).await?;
    let set = match version {
        0 => Arc::new(RoutingSet::unconfigured(
            config.channels.iter().map(|c| c.id.as_str()),
        )),
        _ => match active::read(conn, version).await? {
            Ok(set) => set,
            Err(reason) => return Ok(Err(format!("version {version} can't be used: {reason}"))),
        },
    };
    let tripped = breakers::read(conn, &config.schemas()?).await?;
    if let Some((breaker, reason)) = tripped.stops_anywhere(order) {
        return Ok(Err(format!("breaker {breaker} is open: {reason}")));
    }
    let at = now_us();
    let (mut here, mut wanted) = (Vec::new(), BTreeSet::new());
    for channel in &config.channels {
        let time = trade_time(at, &channel.zone)?;
        let open = tripped.stops_channel(order.kind.point(), &channel.id);
        here.push(ChannelStatus::new(
            &channel.id,
            &time,
            open.map(|(b, why)| (b.to_string(), why.to_owned())),
        )?);
        wanted.extend(keys(order, &channel.id, &time));
    }
    let stored = repo::read_totals(conn, &wanted).await?;
    Ok(Ok(choose(
        &set,
        order,
        &here,
        &LimitTotals::new(wanted, stored),
    )))
}
