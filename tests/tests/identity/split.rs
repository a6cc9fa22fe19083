//! Names of an order whose books are on servers of their own.

use crate::identity::{all_at_once, body, fund, order, refused, reserved, second_core, withdraw};
use anyhow::ensure;
use serde_json::json;
use sluice_drill::stage::StageOptions;
use sluice_tests::{TestStage, options};

#[tokio::test(flavor = "multi_thread")]
async fn on_split_books_names_stand_for_one_order_and_a_refusal_frees_them() -> anyhow::Result<()> {
    let mut set = TestStage::prepare(StageOptions {
        fence: false,
        dispatch: false,
        split_books: true,
        ..options()
    })
    .await?;
    set.stage.start_core().await?;
    let (_second, other) = second_core(&set).await?;
    let client = set.stage.client.clone();
    fund(&set, "S", "5.00").await?;
    let named = body("S", "10.00", json!({ "bizNo": "B", "transactionId": "T" }));
    // Too little money: all names are free again, under other keys too.
    for key in ["k1", "k2"] {
        let (status, answer) = withdraw(&client, key, &named).await?;
        ensure!(status == 422 && answer["code"] == 42202, "{answer}");
    }
    let (_, listed) = client.get("/withdraw?bizNo=B").await?;
    let unfunded = listed["data"]["orders"][0]["withdrawOrderId"].clone();
    ensure!(unfunded.is_string(), "the refused order can be looked at");
    let more = json!({ "accountId": "S", "amount": "995.00", "bizNo": "more-S" });
    let (status, answer) = client.post("/deposit", &more, &[]).await?;
    ensure!(status == 202, "{answer}");
    let first = all_at_once((0..30).map(|n| {
        let client = if n % 2 == 0 { &client } else { &other };
        let door = if n % 3 == 0 {
            "/withdraw/submit"
        } else {
            "/withdraw"
        };
        (client.clone(), door, format!("crowd-{n}"), named.clone())
    }))
    .await?;
    ensure!(order(&other, "late", &named).await? == first);
    // Its names were free again, so it has no successor beside them.
    let beside = json!({ "bizNo": "B", "predecessorId": unfunded });
    let (status, answer) = withdraw(&client, "beside", &body("S", "10.00", beside)).await?;
    ensure!(status == 422, "{answer}");
    ensure!(reserved(&set, "S").await? == "10");
    let mut bent = named.clone();
    bent["amount"] = json!("10.01");
    refused(&client, "k3", &bent, &["bizNo", "amount"]).await?;

    client.cancel(&first).await?;
    let again = body(
        "S",
        "10.00",
        json!({ "bizNo": "B", "predecessorId": first }),
    );
    let next = all_at_once((0..20).map(|n| {
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
    Ok(())
}
