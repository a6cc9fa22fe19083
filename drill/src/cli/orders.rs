//! `sluice orders stuck | show | history`: what an operator asks about orders. It
//! reads the database with the core's own settings and changes nothing.

use anyhow::{Context, bail};
use clap::Subcommand;
use sluice_contract::clock::now_us;
use sluice_core::config::CoreConfig;
use sluice_core::dispatch::blocking_reason::blocking_reason;
use sluice_core::lookup::repo::CaseRow;
use sluice_core::lookup::{OrderLookup, clients};
use sluice_core::orders::Order;
use sluice_core::recovery::stages::RecoveryStage;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Rows of `stuck` of a kind: more would not be read.
const MAX_STUCK_ROWS: usize = 200;
/// How long the sidecar may take to say whether it sees.
const SIDECAR_TIMEOUT: Duration = Duration::from_secs(2);

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
    /// Orders that have not ended, by stage: their age and what they wait for.
    Stuck {
        /// Leave out younger ones, as in `60s`, `5m` or `2h`.
        #[arg(long, default_value = "0s")]
        older: jiff::SignedDuration,
    },
    /// Everything about an order: its row, route, attempts, postings and cases.
    Show {
        /// Order id, serial number, transaction id, idempotent key, or the upstream's own number.
        id: String,
    },
    /// What happened to an order, one line each, oldest first.
    History {
        /// As for `show`.
        id: String,
    },
}

#[allow(clippy::print_stdout)]
pub async fn run(options: OrdersArgs) -> anyhow::Result<()> {
    let config = load(&options.config)?;
    let lookup = OrderLookup::open(&config)?;
    let text = match &options.verb {
        OrdersCommand::Stuck { older } => {
            stuck(&lookup, &config, i64::try_from(older.as_micros())?).await?
        }
        OrdersCommand::Show { id } => each(&lookup, &config, id, show).await?,
        OrdersCommand::History { id } => each(&lookup, &config, id, history).await?,
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

fn age(us: i64) -> String {
    let s = us.max(0) / 1_000_000;
    match s {
        0..60 => format!("{s}s"),
        60..3_600 => format!("{}m{:02}s", s / 60, s % 60),
        _ => format!("{}h{:02}m", s / 3_600, s / 60 % 60),
    }
}

async fn stuck(lookup: &OrderLookup, config: &CoreConfig, older_us: i64) -> anyhow::Result<String> {
    let now = now_us();
    let (mut orders, cases) = lookup
        .stuck(now.saturating_sub(older_us), MAX_STUCK_ROWS)
        .await?;
    if orders.is_empty() {
        return Ok("no order is stuck\n".into());
    }
    let (stalled, tripped) = (stalled(config).await, lookup.tripped().await?);
    orders.sort_by_key(|o| (RecoveryStage::of(o.state), o.created_us));
    let mut text = format!(
        "{:<9} {:>8}  {:<32} {:<12} {:<10} waits for\n",
        "stage", "age", "order", "state", "channel"
    );
    for order in &orders {
        let waits = blocking_reason(order, stalled.as_deref(), &tripped, false);
        let waits = waits.unwrap_or_else(|| {
            format!(
                "{} to confirm, told {} times again",
                order.client, order.notify_count
            )
        });
        text += &format!(
            "{:<9} {:>8}  {:<32} {:<12} {:<10} {waits}\n",
            RecoveryStage::of(order.state).as_str(),
            age(now - order.created_us),
            order.order_id,
            order.state.as_str(),
            order.channel.as_deref().unwrap_or("-"),
        );
        let of = cases
            .iter()
            .filter(|c| c.order_id == order.order_id && c.state == "open");
        of.for_each(|c| text += &format!("{:>20}case {}: {}\n", "", c.kind, c.detail));
    }
    if orders.len() >= MAX_STUCK_ROWS {
        text += &format!("only the oldest {MAX_STUCK_ROWS} of a kind are shown\n");
    }
    Ok(text)
}

/// Why the fence stands still, as the sidecar says itself.
async fn stalled(config: &CoreConfig) -> Option<String> {
    if !config.fence.enabled {
        return None;
    }
    let url = format!("{}/status", config.fence.sidecar_url.trim_end_matches('/'));
    let asked = async {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(SIDECAR_TIMEOUT)
            .build()?;
        anyhow::Ok(serde_json::from_str::<serde_json::Value>(
            &http.get(url).send().await?.text().await?,
        )?)
    };
    match asked.await {
        Ok(status) => match &status["blind"] {
            serde_json::Value::Object(causes) if !causes.is_empty() => {
                let causes: Vec<String> = causes
                    .iter()
                    .map(|(cause, why)| format!("{cause}: {why}"))
                    .collect();
                Some(format!("the sidecar is blind: {}", causes.join("; ")))
            }
            _ => None,
        },
        Err(_) => Some(format!(
            "no sidecar answers at {}",
            config.fence.sidecar_url
        )),
    }
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

async fn history(lookup: &OrderLookup, order: &Order) -> anyhow::Result<String> {
    let lines = lookup.timeline(order).await?.lines(order);
    let head = format!("{} is {}\n", order.order_id, order.state.as_str());
    let shown = lines
        .iter()
        .map(|l| format!("{}  {:<7} {}\n", time(l.at_us), l.what, l.text));
    Ok(head + &shown.collect::<String>())
}

async fn show(lookup: &OrderLookup, order: &Order) -> anyhow::Result<String> {
    let timeline = lookup.timeline(order).await?;
    let dash = |text: &Option<String>| text.clone().unwrap_or("-".into());
    let fields = [
        ("order", order.order_id.clone()),
        (
            "state",
            format!("{} (shown as {})", order.state.as_str(), order.shown()),
        ),
        ("kind", order.kind.as_str().into()),
        (
            "amount",
            format!("{} {}", order.amount.normalize(), order.currency),
        ),
        ("from", order.account_id.clone()),
        (
            "to",
            format!("{}, bank {}", order.to_account, dash(&order.bank)),
        ),
        (
            "client",
            format!("{}, user {}", order.client, dash(&order.user_id)),
        ),
        ("transaction", order.transaction_id.clone()),
        ("bizNo", dash(&order.biz_no)),
        ("payment", dash(&order.payment_no)),
        ("channel", dash(&order.channel)),
        (
            "serial no",
            format!("{} at {}", order.serial_no, dash(&order.trade_time)),
        ),
        (
            "sent",
            format!("{} times, asked for {} times", order.sends, order.queries),
        ),
        ("last code", dash(&order.result_code)),
        ("version", order.version.to_string()),
        ("made", time(order.created_us)),
        ("changed", time(order.updated_us)),
        (
            "due",
            order
                .due_us
                .filter(|d| *d < i64::MAX)
                .map_or("-".into(), time),
        ),
        (
            "acknowledged",
            order.acknowledged_us.map_or("-".into(), time),
        ),
    ];
    let mut text: String = fields
        .iter()
        .map(|(name, value)| format!("{name:<12} {value}\n"))
        .collect();
    text += &route(order);
    for a in &timeline.attempts {
        let live = if a.live { "may still pay" } else { "ended" };
        text += &format!(
            "attempt {:<4} {}: {}, {live}, code {}\n",
            a.number,
            a.channel,
            a.state,
            dash(&a.code)
        );
    }
    for p in &timeline.postings {
        let amount = format!("{} {}", p.amount.normalize(), p.currency);
        text += &format!(
            "{:<12} {amount} from {} to {} ({})\n",
            p.kind, p.debit, p.credit, p.posting_id
        );
    }
    Ok(text + &timeline.cases.iter().map(case).collect::<String>())
}

fn case(case: &CaseRow) -> String {
    let closed = case.closed_us.map(|us| {
        let who = case.closed_by.as_deref().unwrap_or("-");
        format!(
            ", closed {} by {who} {}",
            time(us),
            case.note.as_deref().unwrap_or_default()
        )
    });
    format!(
        "{:<12} {}: {} (since {}{})\n",
        "case",
        case.kind,
        case.detail,
        time(case.opened_us),
        closed.unwrap_or_default()
    )
}

/// The route as it was chosen: the channel, then each one that was not, and why.
fn route(order: &Order) -> String {
    let Some(json) = &order.route else {
        return String::new();
    };
    let Ok(route) = serde_json::from_str::<serde_json::Value>(json) else {
        return format!("{:<12} {json}\n", "route");
    };
    let word = |value: &serde_json::Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let mut text = format!(
        "{:<12} {} by version {}\n",
        "route",
        word(&route["chosen"]),
        route["version"]
    );
    for no in route["rejected"].as_array().into_iter().flatten() {
        text += &format!(
            "{:<12} not {}: {} ({})\n",
            "",
            word(&no["channel"]),
            word(&no["reason"]),
            word(&no["by"])
        );
    }
    text
}
