//! `sluice orders stuck`: the orders that have not ended, and what each waits for.

use sluice_contract::clock::now_us;
use sluice_contract::settings::Secret;
use sluice_contract::tls::ClientTls;
use sluice_core::config::CoreConfig;
use sluice_core::dispatch::blocking_reason::blocking_reason;
use sluice_core::lookup::OrderLookup;
use sluice_core::recovery::stages::RecoveryStage;
use std::time::Duration;

/// Rows of `stuck` of a kind: more would not be read.
const MAX_STUCK_ROWS: usize = 200;
/// The sidecar says within this whether it sees.
const SIDECAR_TIMEOUT: Duration = Duration::from_secs(2);

/// Writes a line for each order older than `older_us`, by stage, and its open cases.
pub(super) async fn stuck(
    lookup: &OrderLookup,
    config: &CoreConfig,
    older_us: i64,
) -> anyhow::Result<String> {
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
            .timeout(SIDECAR_TIMEOUT);
        let tls = ClientTls::load("sluice", &config.fence.tls)?;
        let http = ClientTls::apply(tls.as_ref(), http)?.build()?;
        let token = Secret::load("sidecar_token", config.secrets_dir.as_deref())?;
        let token = String::from_utf8_lossy(token.expose()).into_owned();
        let answer = http.get(url).bearer_auth(token).send().await?;
        anyhow::Ok(serde_json::from_str::<serde_json::Value>(
            &answer.error_for_status()?.text().await?,
        )?)
    };
    match asked.await {
        // The report is the answer's data.
        Ok(status) => match &status["data"]["blind"] {
            serde_json::Value::Object(causes) if !causes.is_empty() => {
                let causes: Vec<String> = causes
                    .iter()
                    .map(|(cause, why)| format!("{cause}: {why}"))
                    .collect();
                Some(format!("the sidecar is blind: {}", causes.join("; ")))
            }
            _ => None,
        },
        Err(error) => Some(format!(
            "no sidecar answers at {}: {error:#}",
            config.fence.sidecar_url
        )),
    }
}

fn age(us: i64) -> String {
    let s = us.max(0) / 1_000_000;
    match s {
        0..60 => format!("{s}s"),
        60..3_600 => format!("{}m{:02}s", s / 60, s % 60),
        _ => format!("{}h{:02}m", s / 3_600, s / 60 % 60),
    }
}
