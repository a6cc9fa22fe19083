//! An order is found by every id that anybody holds.

use crate::recovery::{sluice_orders, submit};
use anyhow::{Context, ensure};
use serde_json::json;
use sluice_contract::ids::serial_no;
use sluice_drill::channels::SimulatorKind;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_found_by_every_id_that_anybody_holds() -> anyhow::Result<()> {
    let mut options = options();
    options.core_extra += "\nlisting.delay_ms = 0";
    let set = TestStage::up(options).await?;
    Traffic::new("find", 20).fund(&set.stage, 1_000).await?;
    let mut orders = Vec::new();
    for n in 0..5 {
        orders.push(submit(&set, "find", n, SimulatorKind::NetsUnion).await?);
    }
    let body = json!({ "fromAccountId": "A00009", "toAccountId": "payee", "amount": "1.00", "transactionId": "find-biz-2" });
    let (_, keyed) = set
        .stage
        .client
        .post("/withdraw", &body, &[("idempotent-key", "my-key")])
        .await?;
    let keyed = keyed["data"]["withdrawOrderId"]
        .as_str()
        .context("refused")?
        .to_owned();
    let found = async |query: &str| -> anyhow::Result<Vec<String>> {
        let (status, answer) = set.stage.client.get(&format!("/withdraw?{query}")).await?;
        ensure!(status == 200, "{query}: {status} {answer}");
        let all = answer["data"]["orders"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        Ok(all
            .iter()
            .filter_map(|o| Some(o["withdrawOrderId"].as_str()?.to_owned()))
            .collect())
    };
    let one = std::slice::from_ref(&orders[2]);
    ensure!(found("transactionId=find-2").await? == one);
    ensure!(found(&format!("serialNo={}", serial_no(&orders[2]))).await? == one);
    ensure!(found("key=tx:find-2").await? == one && found("key=my-key").await? == [keyed.clone()]);
    ensure!(
        found("bizNo=find-biz-2").await? == one
            && found("transactionId=find-biz-2").await? == [keyed.clone()]
    );
    ensure!(found("bizNo=nobody").await?.is_empty() && found("bizNo=a%20b").await?.is_empty());
    let paged = by_pages_of_two(&set).await?;
    orders.push(keyed.clone());
    ensure!(paged == orders, "{paged:?} for {orders:?}");
    for bad in [
        "limit=0",
        "limit=x",
        "after=1",
        "bizNo=a&key=b",
        "colour=red",
    ] {
        let (status, answer) = set.stage.client.get(&format!("/withdraw?{bad}")).await?;
        ensure!(
            status == 400 && answer["code"] == 40001,
            "{bad}: {status} {answer}"
        );
    }
    the_command_finds(&set, &orders[2], &keyed).await?;
    let (status, answer) = set
        .stage
        .client
        .get(&format!("/withdraw/{}/history", orders[0]))
        .await?;
    let first = &answer["data"]["history"][0];
    ensure!(
        status == 200 && first["what"] == "order" && first["atUs"].is_number(),
        "{answer}"
    );
    set.all_is_well().await
}

/// Reads all orders by pages.
async fn by_pages_of_two(set: &TestStage) -> anyhow::Result<Vec<String>> {
    // All of them by pages of two, each once, in order.
    let (mut paged, mut next) = (Vec::new(), String::new());
    loop {
        let (_, answer) = set
            .stage
            .client
            .get(&format!("/withdraw?limit=2{next}"))
            .await?;
        let page = answer["data"]["orders"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        paged.extend(
            page.iter()
                .filter_map(|o| Some(o["withdrawOrderId"].as_str()?.to_owned())),
        );
        match answer["data"]["next"].as_str() {
            Some(id) => next = format!("&after={id}"),
            None => break,
        }
    }
    Ok(paged)
}

/// `sluice orders show` knows an order by each of its ids.
async fn the_command_finds(set: &TestStage, order: &str, keyed: &str) -> anyhow::Result<()> {
    let serial = serial_no(order);
    for id in [order, &serial, "find-2", "find-biz-2"] {
        let shown = sluice_orders(set, &["show", id]).await?;
        ensure!(
            shown.contains(order) && shown.contains("amount       3 CNY"),
            "{id}: {shown}"
        );
    }
    ensure!(
        sluice_orders(set, &["show", "my-key"])
            .await?
            .contains(keyed),
        "not found by its key"
    );
    ensure!(
        sluice_orders(set, &["show", "find-biz-2"])
            .await?
            .contains("── 2 of 2"),
        "both have the number"
    );
    ensure!(
        sluice_orders(set, &["history", "nobody"]).await.is_err(),
        "found nobody"
    );
    Ok(())
}
