//! One order for all the names of its request, and paid as it was asked.

mod altered;
mod doors;
mod keys;
mod payers;
mod rolled_keys;
mod rolled_pairs;
mod set_back;
mod split;
mod tries;

use anyhow::{Context, ensure};
use futures_util::future::join_all;
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use sluice_contract::sql;
use sluice_drill::setup::ChildProcess;
use sluice_drill::setup::ports::free_port;
use sluice_drill::stage::client::StageClient;
use sluice_drill::stage::{StageOptions, StagePorts};
use sluice_tests::{TestStage, options};
use std::collections::BTreeSet;
use std::time::Duration;

/// Orders are accepted and nobody sends them.
async fn accepting() -> anyhow::Result<TestStage> {
    let mut set = TestStage::prepare(StageOptions {
        fence: false,
        dispatch: false,
        ..options()
    })
    .await?;
    set.stage.start_core().await?;
    Ok(set)
}

/// Another core on the same database, and a client of it.
async fn second_core(set: &TestStage) -> anyhow::Result<(ChildProcess, StageClient)> {
    let ports = StagePorts {
        core: free_port()?,
        core_admin: free_port()?,
        ..set.stage.ports
    };
    let core = set.stage.spawn_core("core-2", ports).await?;
    let sidecar = ports.url(ports.sidecar);
    let client = StageClient::new(&ports.url(ports.core), &sidecar, &set.stage.token)?;
    Ok((core, client))
}

async fn fund(set: &TestStage, account: &str, amount: &str) -> anyhow::Result<()> {
    let body = json!({ "accountId": account, "amount": amount, "bizNo": format!("pay-{account}") });
    let (status, answer) = set.stage.client.post("/deposit", &body, &[]).await?;
    ensure!(status == 202, "{answer}");
    Ok(())
}

fn body(account: &str, amount: &str, more: Value) -> Value {
    let mut body = json!({ "fromAccountId": account, "toAccountId": "payee", "amount": amount });
    let more = more.as_object().cloned().unwrap_or_default();
    if let Some(fields) = body.as_object_mut() {
        fields.extend(more);
    }
    body
}

async fn withdraw(client: &StageClient, key: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
    client
        .post("/withdraw", body, &[("idempotent-key", key)])
        .await
}

fn id_of(answer: &Value) -> anyhow::Result<String> {
    let id = answer["data"]["withdrawOrderId"].as_str();
    Ok(id.with_context(|| answer.to_string())?.to_owned())
}

/// The order that a request is answered with.
async fn order(client: &StageClient, key: &str, body: &Value) -> anyhow::Result<String> {
    let (status, answer) = withdraw(client, key, body).await?;
    ensure!(status == 202, "{key}: {status} {answer}");
    id_of(&answer)
}

/// Refused with 422, naming each of `words`.
async fn refused(
    client: &StageClient,
    key: &str,
    body: &Value,
    words: &[&str],
) -> anyhow::Result<()> {
    let (status, answer) = withdraw(client, key, body).await?;
    let msg = answer["msg"].as_str().unwrap_or_default();
    ensure!(
        status == 422 && answer["code"] == 42200 && words.iter().all(|w| msg.contains(w)),
        "{key} {body}: {status} {answer}"
    );
    Ok(())
}

/// Sends all at once; the one order that they are answered with. Some may be told to come
/// again.
async fn all_at_once(
    asks: impl Iterator<Item = (StageClient, &'static str, String, Value)>,
) -> anyhow::Result<String> {
    let sent = asks.map(|(client, path, key, body)| {
        tokio::spawn(async move { client.post(path, &body, &[("idempotent-key", &key)]).await })
    });
    let mut ids = BTreeSet::new();
    for answer in join_all(sent).await {
        let (status, answer) = answer??;
        ensure!(matches!(status, 202 | 409), "{status} {answer}");
        if status == 202 {
            ids.insert(id_of(&answer)?);
        }
    }
    ensure!(ids.len() == 1, "{ids:?}");
    ids.pop_first().context("nobody was accepted")
}

async fn reserved(set: &TestStage, account: &str) -> anyhow::Result<String> {
    let (_, answer) = set
        .stage
        .client
        .get(&format!("/accounts/{account}"))
        .await?;
    let reserved = answer["data"]["balances"][0]["reserved"].as_str();
    Ok(reserved.with_context(|| answer.to_string())?.to_owned())
}

async fn restart_core(set: &mut TestStage) -> anyhow::Result<()> {
    let core = set.stage.core.as_mut().context("the stage has a core")?;
    core.kill9()?;
    core.restart()?;
    let admin = set.stage.ports.address(set.stage.ports.core_admin);
    core.wait_ready(&admin, Duration::from_secs(30)).await
}

/// Changes rows where no binlog shows it.
pub(crate) async fn change_unseen(set: &TestStage, statement: &str) -> anyhow::Result<u64> {
    let mut conn = sql::connect(&set.stage.url).await?;
    conn.query_drop("SET SESSION sql_log_bin=0").await?;
    conn.query_drop(statement).await?;
    Ok(conn.affected_rows())
}
