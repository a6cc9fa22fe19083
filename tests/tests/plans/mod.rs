//! Every statement of the money path reads by an index, and what it reads doesn't grow with
//! history. The statements are those that a core really sent, as the server logged
//! them; they are explained and run again beside a long history (`make plans`: a million
//! rows a table), and each read of a row is counted.

mod batches;
mod fill;
mod judge;
mod log;

use anyhow::{Context, ensure};
use mysql_async::Conn;
use serde_json::{Value, json};
use sluice_contract::sql;
use sluice_drill::channels::{ActionScript, ScriptedAction, SimulatorKind};
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, mysql_server, options};
use std::time::Duration;

/// Rows of each large table, unless `SLUICE_PLANS_ROWS` says otherwise.
const DEFAULT_ROWS: u64 = 50_000;

fn row_count() -> u64 {
    let rows = std::env::var("SLUICE_PLANS_ROWS");
    rows.ok()
        .and_then(|r| r.parse().ok())
        .unwrap_or(DEFAULT_ROWS)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_keeps_to_its_index_on_mariadb() -> anyhow::Result<()> {
    plans_hold(options()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_keeps_to_its_index_on_mysql() -> anyhow::Result<()> {
    let Some((_dir, server)) = mysql_server().await? else {
        return Ok(());
    };
    plans_hold(StageOptions {
        mysql_url: Some(server.url()),
        ..options()
    })
    .await
}

/// Runs a core, takes down what it says to its server, and judges that beside a history.
async fn plans_hold(options: StageOptions) -> anyhow::Result<()> {
    let mut set = TestStage::prepare(StageOptions {
        fence: false,
        ..options
    })
    .await?;
    set.stage.start_core().await?;
    let schemas = set.stage.schemas.clone();
    let home = sql::options(&set.stage.url)?.db_name(Some(schemas.orders.clone()));
    let mut conn = Conn::new(home).await?;
    log::begin(&mut conn).await?;
    everything_happens(&set).await?;
    log::end(&mut conn).await?;
    let mut core = set.stage.core.take().context("no core")?;
    core.terminate(Duration::from_secs(15)).await?;
    let statements = log::statements(&mut conn).await?;
    ensure!(
        statements.len() >= 40,
        "only {} statements were logged: {statements:#?}",
        statements.len()
    );
    fill::fill(&mut conn, &schemas, row_count()).await?;
    let mut wrong = batches::complaints(&mut conn, &set.stage.url, &schemas).await?;
    for statement in &statements {
        wrong.extend(judge::complaint(&mut conn, &schemas, statement).await?);
    }
    ensure!(
        wrong.is_empty(),
        "{} of {} statements:\n{}",
        wrong.len(),
        statements.len(),
        wrong.join("\n")
    );
    Ok(())
}

/// Orders that succeed, fail, are in doubt and are cancelled, payments and refunds, and
/// every read of the API. The test itself talks to the core only.
async fn everything_happens(set: &TestStage) -> anyhow::Result<()> {
    let stage = &set.stage;
    let traffic = Traffic::new("plans", 40);
    traffic.fund(stage, 10_000).await?;
    for (word, action) in [
        ("fail", ScriptedAction::Fail),
        (
            "doubt",
            ScriptedAction::TimeoutAfterPaying { hold_ms: 1_500 },
        ),
    ] {
        let script = ActionScript::new(word, action);
        stage.sims.add_script(SimulatorKind::NetsUnion, script)?;
    }
    let report = traffic.open(stage, 150, Duration::from_secs(2)).await?;
    ensure!(report.succeeded() == 300, "{:?}", report.statuses);
    let mut orders = Vec::new();
    for word in ["fail", "doubt", "plain"] {
        let body = json!({ "fromAccountId": "A00001", "toAccountId": format!("{word}-1"), "amount": "1.00",
                           "currency": "CNY", "transactionId": format!("plans-{word}"), "bizNo": format!("biz-{word}"),
                           "userId": "u1", "channel": "netsunion" });
        let (status, answer) = stage.client.post("/withdraw/submit", &body, &[]).await?;
        let id = answer["data"]["withdrawOrderId"].as_str();
        orders.push(id.with_context(|| format!("{status} {answer}"))?.to_owned());
    }
    stage.wait_for_status(&orders[0], "failed").await?;
    stage.wait_for_status(&orders[1], "success").await?;
    stage.wait_for_status(&orders[2], "success").await?;
    reads(set, &orders[2]).await?;
    // Polls, sweeps and counts have their turn.
    tokio::time::sleep(Duration::from_secs(8)).await;
    Ok(())
}

async fn reads(set: &TestStage, order: &str) -> anyhow::Result<()> {
    let client = &set.stage.client;
    for path in [
        "/withdraw?transactionId=plans-plain".to_owned(),
        "/withdraw?bizNo=biz-plain".to_owned(),
        "/withdraw?key=tx:plans-plain".to_owned(),
        "/withdraw?limit=500".to_owned(),
        format!("/withdraw?serialNo={}", order.to_uppercase()),
        format!("/withdraw/{order}"),
        format!("/withdraw/{order}/history"),
        "/accounts/A00001".to_owned(),
        "/accounts/A00001/entries?limit=1000".to_owned(),
    ] {
        let (status, answer) = client.get(&path).await?;
        ensure!(status == 200, "{path}: {status} {answer}");
    }
    for action in ["ack", "cancel"] {
        let path = format!("/withdraw/{order}/{action}");
        client.post(&path, &Value::Null, &[]).await?;
    }
    let core = set.stage.ports.url(set.stage.ports.core);
    let statement = format!("{core}/accounts/A00001/statement.csv");
    let reply = reqwest::get(statement).await?;
    ensure!(reply.status() == 200, "{}", reply.status());
    reply.text().await?;
    Ok(())
}
