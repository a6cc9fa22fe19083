//! A failed order's business number is used again by a try that names its predecessor.

use crate::identity::{
    accepting, all_at_once, body, fund, order, refused, reserved, restart_core, second_core,
};
use anyhow::ensure;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_order_has_one_successor_however_many_ask() -> anyhow::Result<()> {
    let mut set = accepting().await?;
    fund(&set, "R", "1000.00").await?;
    let (second, other) = second_core(&set).await?;
    let client = set.stage.client.clone();
    let first_body = body("R", "10.00", json!({ "bizNo": "B" }));
    let first = order(&client, "k1", &first_body).await?;
    let again = body(
        "R",
        "10.00",
        json!({ "bizNo": "B", "predecessorId": first }),
    );
    refused(&client, "k2", &again, &["predecessorId", "not failed"]).await?;
    client.cancel(&first).await?;
    // A repeat that names nobody is a repeat, not a new try.
    ensure!(order(&other, "k3", &first_body).await? == first);
    let elsewhere = body(
        "R",
        "10.00",
        json!({ "bizNo": "C", "predecessorId": first }),
    );
    refused(&client, "k4", &elsewhere, &["predecessorId", "bizNo"]).await?;

    let next = all_at_once((0..40).map(|n| {
        let client = if n % 2 == 0 { &client } else { &other };
        (
            client.clone(),
            "/withdraw",
            format!("again-{n}"),
            again.clone(),
        )
    }))
    .await?;
    ensure!(next != first);
    let shown = client.order(&next).await?;
    ensure!(
        shown["predecessorId"] == first.as_str() && shown["bizNo"] == "B",
        "{shown}"
    );
    ensure!(
        reserved(&set, "R").await? == "10",
        "the first is failed, the second one counts"
    );

    // Another payee is another request; a third try follows the second one.
    let mut bent = again.clone();
    bent["toAccountId"] = json!("somebody-else");
    refused(&other, "k5", &bent, &["predecessorId", "toAccountId"]).await?;
    client.cancel(&next).await?;
    let third = body("R", "10.00", json!({ "bizNo": "B", "predecessorId": next }));
    let last = order(&other, "k6", &third).await?;
    ensure!(last != next && last != first);
    drop(second);
    restart_core(&mut set).await?;
    let client = set.stage.client.clone();
    ensure!(order(&client, "k7", &again).await? == next);
    ensure!(order(&client, "k8", &third).await? == last);
    ensure!(reserved(&set, "R").await? == "10");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_id_names_one_try_for_good() -> anyhow::Result<()> {
    let set = accepting().await?;
    fund(&set, "R", "1000.00").await?;
    let client = &set.stage.client;
    let first_body = body("R", "10.00", json!({ "bizNo": "B", "transactionId": "T" }));
    let first = order(client, "k1", &first_body).await?;
    client.cancel(&first).await?;
    let mut again = first_body.clone();
    again["predecessorId"] = json!(first);
    refused(client, "k2", &again, &["transactionId", "predecessorId"]).await?;
    again["transactionId"] = json!("T-2");
    ensure!(order(client, "k3", &again).await? != first);
    let (status, answer) = client.post("/withdraw/submit", &again, &[]).await?;
    ensure!(status == 202, "{answer}");
    ensure!(reserved(&set, "R").await? == "10");
    Ok(())
}
