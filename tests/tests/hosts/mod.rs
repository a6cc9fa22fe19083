//! Hosts and databases that vanish, stand still, only read, forget or tell the wrong time:
//! one account is harmed at most, for seconds, and `/ready` tells the truth.

mod clocks;
mod forgotten;
mod hopeless;
mod locked;
mod read_only;
mod silent;
mod vanished;

use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use sluice_core::schema::DatabaseUrls;
use sluice_drill::load;
use sluice_drill::setup::ports::free_port;
use sluice_drill::stage::StagePorts;
use sluice_drill::stage::client::StageClient;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

/// Far longer than anything here may take; waiting forever is the failure.
const DEADLINE: Duration = Duration::from_secs(60);
/// The core's own user: no administrator, whom `read_only` would not concern.
const CORE_USER: &str = "sluice_core";

/// Servers alone: a core is started where a test wants it.
async fn servers() -> anyhow::Result<TestStage> {
    let mut options = options();
    options.fence = false;
    options.dispatch = false;
    TestStage::prepare(options).await
}

/// Settings of the next core lead to this port of loopback.
fn lead_to(set: &mut TestStage, port: u16) {
    let url = &set.stage.urls.core.orders;
    let (before, _) = url.rsplit_once(':').unwrap_or_default();
    set.stage.urls.core = DatabaseUrls::together(&format!("{before}:{port}"));
}

fn server_port(set: &TestStage) -> anyhow::Result<u16> {
    Ok(set.stage.mariadb.as_ref().context("a private server")?.port)
}

/// Ports of one more core, and a client for it.
fn another(set: &TestStage) -> anyhow::Result<(StagePorts, StageClient)> {
    let ports = StagePorts {
        core: free_port()?,
        core_admin: free_port()?,
        ..set.stage.ports
    };
    let core = ports.url(ports.core);
    let client = StageClient::new(&core, &ports.url(ports.sidecar), &set.stage.token)?;
    Ok((ports, client))
}

async fn fund(client: &StageClient, account: &str) -> anyhow::Result<()> {
    client
        .deposit(account, 1_000.into(), &format!("pay-{account}"))
        .await
}

async fn withdraw(client: &StageClient, account: &str, key: &str) -> anyhow::Result<(u16, Value)> {
    let body = json!({ "fromAccountId": account, "toAccountId": "payee", "amount": "1.00" });
    client
        .post("/withdraw", &body, &[("idempotent-key", key)])
        .await
}

/// Asks with one key until it is accepted; returns the order's id.
async fn accepted_at_last(
    client: &StageClient,
    account: &str,
    key: &str,
) -> anyhow::Result<String> {
    let begun = Instant::now();
    loop {
        let answered = withdraw(client, account, key).await;
        if let Ok((202, answer)) = &answered {
            let id = answer["data"]["withdrawOrderId"].as_str();
            return Ok(id.context("an order id")?.to_owned());
        }
        ensure!(begun.elapsed() < DEADLINE, "{account} stays {answered:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The answer of a core's `/ready`, once it says what is wanted, with that text in it.
async fn ready(admin: &str, wanted: bool, text: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        // A core that has just been started listens in a moment.
        let said = load::http::get(admin, "/ready")
            .await
            .map(|(status, body)| {
                let body = String::from_utf8_lossy(&body).into_owned();
                (status, body)
            });
        if let Ok((status, body)) = &said
            && (*status == 200) == wanted
            && body.contains(text)
        {
            return Ok(());
        }
        ensure!(begun.elapsed() < DEADLINE, "/ready stays {said:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn admin(set: &TestStage) -> String {
    set.stage.ports.address(set.stage.ports.core_admin)
}

async fn on_server(set: &TestStage, sql: &str) -> anyhow::Result<()> {
    let mut conn = set.stage.pool.get_conn().await?;
    conn.query_drop(sql).await.with_context(|| sql.to_owned())
}
