//! One key, one order: at once, later, after a restart, and over two instances.

use anyhow::ensure;
use futures_util::future::join_all;
use serde_json::json;
use sluice_drill::setup::ports::free_port;
use sluice_drill::stage::StagePorts;
use sluice_tests::{TestStage, options};
use std::collections::BTreeSet;

async fn fund(set: &TestStage) -> anyhow::Result<()> {
    let body = json!({ "accountId": "K", "amount": "1000.00", "bizNo": "pay-K" });
    let (status, answer) = set.stage.client.post("/deposit", &body, &[]).await?;
    ensure!(status == 202, "{answer}");
    Ok(())
}

fn body(amount: &str) -> serde_json::Value {
    json!({ "fromAccountId": "K", "toAccountId": "payee", "amount": amount })
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_at_once_make_one_order() -> anyhow::Result<()> {
    let mut options = options();
    options.fence = false;
    options.dispatch = false;
    let mut set = TestStage::prepare(options).await?;
    set.stage.start_core().await?;
    fund(&set).await?;
    let ids = two_hundred_over_two_cores(&set).await?;
    // Same key and body after a restart: the same order. Another body: refused.
    restart_core(&mut set).await?;
    let again = |amount: &str| {
        let (client, body) = (set.stage.client.clone(), body(amount));
        async move {
            client
                .post("/withdraw", &body, &[("idempotent-key", "one-key")])
                .await
        }
    };
    let (status, answer) = again("10.000").await?;
    ensure!(
        status == 400,
        "three decimals are a bad amount, whatever the key: {answer}"
    );
    let (status, answer) = again("10").await?;
    ensure!(
        status == 202 && ids.contains(&answer["data"]["withdrawOrderId"].to_string()),
        "{status} {answer}"
    );
    let (status, answer) = again("10.01").await?;
    ensure!(
        status == 422 && answer["code"] == 42200,
        "{status} {answer}"
    );
    // A repeat that the remaining money would not cover is still a repeat.
    let client = set.stage.client.clone();
    let all = |key: &'static str| {
        let client = client.clone();
        async move {
            client
                .post("/withdraw", &body("990.00"), &[("idempotent-key", key)])
                .await
        }
    };
    let (status, first) = all("the-rest").await?;
    ensure!(status == 202, "{first}");
    restart_core(&mut set).await?;
    let (status, repeat) = all("the-rest").await?;
    ensure!(
        status == 202 && repeat["data"] == first["data"],
        "the repeat was answered {status} {repeat}"
    );
    ensure!(
        all("one-more").await?.1["code"] == 42202,
        "an empty account paid"
    );
    Ok(())
}

/// Asks two hundred times, half of them over a second instance on the same database;
/// returns the orders that were named.
async fn two_hundred_over_two_cores(set: &TestStage) -> anyhow::Result<BTreeSet<String>> {
    let other = StagePorts {
        core: free_port()?,
        core_admin: free_port()?,
        ..set.stage.ports
    };
    let second = set.stage.spawn_core("core-2", other).await?;
    let other_client = sluice_drill::stage::client::StageClient::new(
        &other.url(other.core),
        &set.stage.ports.url(set.stage.ports.sidecar),
        &set.stage.token,
    )?;
    let asks = (0..200).map(|n| {
        let client = if n % 2 == 0 {
            set.stage.client.clone()
        } else {
            other_client.clone()
        };
        tokio::spawn(async move {
            client
                .post(
                    "/withdraw",
                    &body("10.00"),
                    &[("idempotent-key", "one-key")],
                )
                .await
        })
    });
    let (mut ids, mut accepted) = (BTreeSet::new(), 0);
    for answer in join_all(asks).await {
        let (status, answer) = answer??;
        ensure!(matches!(status, 202 | 409), "{status} {answer}");
        if status == 202 {
            accepted += 1;
            ids.insert(answer["data"]["withdrawOrderId"].to_string());
        }
    }
    ensure!(
        accepted >= 1 && ids.len() == 1,
        "{accepted} answers name {ids:?}"
    );
    let (_, account) = set.stage.client.get("/accounts/K").await?;
    ensure!(
        account["data"]["balances"][0]["reserved"] == "10",
        "reserved once: {account}"
    );
    drop(second);
    Ok(ids)
}

async fn restart_core(set: &mut TestStage) -> anyhow::Result<()> {
    let core = set.stage.core.as_mut().expect("the stage has a core");
    core.kill9()?;
    core.restart()?;
    core.wait_ready(
        &set.stage.ports.address(set.stage.ports.core_admin),
        std::time::Duration::from_secs(30),
    )
    .await
}
