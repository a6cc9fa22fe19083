//! One order, whichever of its names is repeated, by whatever door, at whichever core.

use crate::identity::{
    accepting, all_at_once, body, change_unseen, fund, id_of, order, refused, reserved,
    restart_core, second_core, withdraw,
};
use anyhow::ensure;
use futures_util::future::join_all;
use serde_json::json;
use sluice_drill::stage::client::StageClient;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_by_any_door_is_the_first_order() -> anyhow::Result<()> {
    let mut set = accepting().await?;
    fund(&set, "D", "1000.00").await?;
    let (second, other) = second_core(&set).await?;
    let client = set.stage.client.clone();

    // The same transaction under a new key, and by the door that needs none.
    let by_transaction = body("D", "10.00", json!({ "transactionId": "T-1" }));
    let first = order(&client, "first", &by_transaction).await?;
    ensure!(order(&other, "retry", &by_transaction).await? == first);
    let (status, answer) = other.post("/withdraw/submit", &by_transaction, &[]).await?;
    ensure!(status == 202 && id_of(&answer)? == first, "{answer}");
    // The other way round, under the business number alone.
    let submitted = body(
        "D",
        "10.00",
        json!({ "transactionId": "T-2", "bizNo": "B-2" }),
    );
    let (status, answer) = client.post("/withdraw/submit", &submitted, &[]).await?;
    ensure!(status == 202, "{answer}");
    let second_order = id_of(&answer)?;
    ensure!(second_order != first);
    ensure!(order(&other, "anew", &submitted).await? == second_order);

    // Sixty at once, each under a key of its own, by both doors of both cores.
    let crowd = body(
        "D",
        "10.00",
        json!({ "transactionId": "T-3", "bizNo": "B-3" }),
    );
    let third = all_at_once((0..60).map(|n| {
        let client = if n % 2 == 0 { &client } else { &other };
        let door = if n % 3 == 0 {
            "/withdraw/submit"
        } else {
            "/withdraw"
        };
        (client.clone(), door, format!("crowd-{n}"), crowd.clone())
    }))
    .await?;
    ensure!(reserved(&set, "D").await? == "30", "reserved three times");

    drop(second);
    restart_core(&mut set).await?;
    ensure!(order(&set.stage.client, "late", &crowd).await? == third);
    ensure!(reserved(&set, "D").await? == "30", "reserved three times");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_differs_is_told_in_which_field() -> anyhow::Result<()> {
    let mut set = accepting().await?;
    fund(&set, "D", "1000.00").await?;
    fund(&set, "E", "1000.00").await?;
    let client = set.stage.client.clone();
    let names = json!({ "transactionId": "T", "bizNo": "B" });
    let first = body("D", "10.00", names.clone());
    order(&client, "k", &first).await?;
    restart_core(&mut set).await?;
    let client = set.stage.client.clone();
    let other_transaction = json!({ "transactionId": "U", "bizNo": "B" });
    let unnamed = body("D", "10.00", json!({ "bizNo": "B" }));
    for (key, body, words) in [
        (
            "k",
            body("D", "10.01", names.clone()),
            ["idempotent-key", "amount"],
        ),
        (
            "k",
            body("D", "10.00", other_transaction.clone()),
            ["idempotent-key", "transactionId"],
        ),
        ("l", body("D", "10.01", names.clone()), ["bizNo", "amount"]),
        ("l", body("E", "10.00", names), ["bizNo", "fromAccountId"]),
        (
            "l",
            body("D", "10.00", other_transaction),
            ["bizNo", "transactionId"],
        ),
        ("l", unnamed, ["bizNo", "transactionId"]),
        (
            "l",
            body("D", "10.00", json!({ "transactionId": "T" })),
            ["transactionId", "bizNo"],
        ),
        (
            "l",
            body("E", "10.00", json!({ "transactionId": "T" })),
            ["transactionId", "fromAccountId"],
        ),
    ] {
        refused(&client, key, &body, &words).await?;
    }
    ensure!(reserved(&set, "D").await? == "10" && reserved(&set, "E").await? == "0");
    // Another kind of order has numbers of its own; a refused request burns no name.
    let (status, answer) = withdraw(
        &client,
        "tx",
        &body("D", "1.00", json!({ "transactionId": "auto:1" })),
    )
    .await?;
    ensure!(status == 400 && answer["code"] == 40001, "{answer}");
    refused(&client, "k", &body("D", "9.00", json!({})), &["amount"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_idempotency_rows_open_no_second_order() -> anyhow::Result<()> {
    let mut set = accepting().await?;
    fund(&set, "D", "1000.00").await?;
    let client = set.stage.client.clone();
    let bodies = [
        body("D", "10.00", json!({})),
        body("D", "20.00", json!({ "transactionId": "T" })),
        body("D", "40.00", json!({ "bizNo": "B" })),
    ];
    let mut first = Vec::new();
    for (n, body) in bodies.iter().enumerate() {
        first.push(order(&client, &format!("k{n}"), body).await?);
    }
    let orders = &set.stage.schemas.orders;
    let deleted = change_unseen(&set, &format!("DELETE FROM {orders}.idempotency")).await?;
    ensure!(deleted > 3, "{deleted}");
    restart_core(&mut set).await?;
    let client = set.stage.client.clone();
    for (n, body) in bodies.iter().enumerate() {
        ensure!(
            order(&client, &format!("k{n}"), body).await? == first[n],
            "{n}"
        );
    }
    // What has a stronger name is found by it under another key, too.
    ensure!(order(&client, "x", &bodies[1]).await? == first[1]);
    ensure!(order(&client, "y", &bodies[2]).await? == first[2]);
    ensure!(reserved(&set, "D").await? == "70");
    Ok(())
}

/// Asks until the answer is clear, as upstreams do.
async fn until_clear(
    client: StageClient,
    key: String,
    body: serde_json::Value,
) -> anyhow::Result<String> {
    let begun = Instant::now();
    loop {
        match withdraw(&client, &key, &body).await {
            Ok((202, answer)) => return id_of(&answer),
            Ok((409 | 503, _)) | Err(_) if begun.elapsed() < Duration::from_secs(60) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            other => anyhow::bail!("{key}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_core_killed_between_any_two_lines_leaves_one_order_a_number() -> anyhow::Result<()> {
    const ROUNDS: u64 = 6;
    let mut set = accepting().await?;
    fund(&set, "D", "1000.00").await?;
    let (_second, other) = second_core(&set).await?;
    for round in 0..ROUNDS {
        let named = body("D", "10.00", json!({ "bizNo": format!("B-{round}") }));
        let asks = (0..16).map(|n| {
            let client = if n % 2 == 0 {
                &set.stage.client
            } else {
                &other
            };
            let key = format!("kill-{round}-{n}");
            tokio::spawn(until_clear(client.clone(), key, named.clone()))
        });
        let asks: Vec<_> = asks.collect();
        tokio::time::sleep(Duration::from_millis(2 + 3 * round)).await;
        restart_core(&mut set).await?;
        let mut ids = BTreeSet::new();
        for asked in join_all(asks).await {
            ids.insert(asked??);
        }
        ensure!(ids.len() == 1, "{round}: {ids:?}");
    }
    ensure!(reserved(&set, "D").await? == (10 * ROUNDS).to_string());
    Ok(())
}
