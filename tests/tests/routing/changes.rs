//! A configuration is put in force, shown, rolled back.

use crate::routing::{BOTH_CHANNELS, RoutedStage, route_text};
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_change_holds_at_once_and_can_be_taken_back() -> anyhow::Result<()> {
    let routed = RoutedStage::up(3).await?;
    let first = routed.paid("none", json!({})).await?;
    ensure!(
        route_text(&first) == "netsunion" && first["route"]["version"] == 0,
        "{first}"
    );

    let said = routed.apply(BOTH_CHANNELS)?;
    ensure!(
        said.contains("+ channel netsunion") && said.contains("version 1 is in force"),
        "{said}"
    );
    let order = routed.paid("first", json!({})).await?;
    ensure!(
        route_text(&order) == "netsunion" && order["route"]["version"] == 1,
        "{order}"
    );

    // Paused: new orders take the other channel, one that insists waits and says why.
    let paused = BOTH_CHANNELS.replacen(
        "priority = 1",
        "priority = 1\npaused = true\nnote = \"line works\"",
        1,
    );
    let said = routed.apply(&paused)?;
    ensure!(
        said.contains("~ channel netsunion") && !said.contains("unionpay"),
        "{said}"
    );
    let order = routed.paid("second", json!({})).await?;
    ensure!(
        route_text(&order) == "unionpay|netsunion pause" && order["channel"] == "unionpay",
        "{order}"
    );
    let insists = one_insists(&routed).await?;
    let (well, said) = routed.run(&[
        "rollback",
        "1",
        "--author",
        "test",
        "--reason",
        "the line works again",
    ])?;
    ensure!(well, "{said}");
    routed
        .set
        .stage
        .wait_for_status(&insists, "success")
        .await?;
    ensure!(route_text(&routed.paid("third", json!({})).await?) == "netsunion");
    let (_, said) = routed.run(&["history"])?;
    ensure!(
        said.contains("2→1") && said.contains("the line works again") && said.contains("1*"),
        "{said}"
    );
    let (_, shown) = routed.run(&["show"])?;
    ensure!(
        shown.contains("# version 1") && shown.contains("id = \"unionpay\""),
        "{shown}"
    );
    wrong_configurations(&routed).await?;
    routed.set.all_is_well().await
}

/// Refused by the tool; and what gets into the tables past it leaves the last good
/// one in force.
async fn wrong_configurations(routed: &RoutedStage) -> anyhow::Result<()> {
    let stage = &routed.set.stage;
    let path = routed.set.path().join("wrong.toml");
    for (text, part) in [
        (
            format!(
                "{BOTH_CHANNELS}[[rule]]\nid = \"r\"\ncondition = \"amuont < 1\"\nmessage = \"no\"\n"
            ),
            "amuont",
        ),
        (
            BOTH_CHANNELS.replace("unionpay", "pigeon"),
            "is not in the core's settings",
        ),
        (BOTH_CHANNELS.to_owned(), "says just the same"),
    ] {
        std::fs::write(&path, text)?;
        let path = path.display().to_string();
        let (well, said) =
            routed.run(&["apply", &path, "--author", "test", "--reason", "drill"])?;
        ensure!(!well && said.contains(part), "{said}");
    }
    // Past the binlog: in its sight that would stop everybody.
    let mut conn = sluice_contract::sql::connect(&stage.url).await?;
    conn.query_drop("SET sql_log_bin=0").await?;
    let orders = &stage.schemas.orders;
    let by_hand = [
        format!(
            "INSERT INTO {orders}.route_version (version,author,reason,hash,no_route,created_us) SELECT 9,author,reason,hash,no_route,created_us FROM {orders}.route_version WHERE version=1"
        ),
        format!("UPDATE {orders}.route_active SET version=9 WHERE name='active'"),
    ];
    for statement in &by_hand {
        conn.query_drop(statement).await?;
    }
    let order = routed.paid("last-good", json!({})).await?;
    ensure!(order["route"]["version"] == 1, "{order}");
    ensure!(
        stage.core_metric("sluice_core_routing_invalid").await? == 1,
        "nothing says that version 9 is wrong"
    );
    let (well, said) = routed.run(&["rollback", "9", "--author", "test", "--reason", "drill"])?;
    ensure!(!well, "{said}");
    let (well, said) = routed.run(&["rollback", "2", "--author", "test", "--reason", "drill"])?;
    ensure!(well, "{said}");
    ensure!(route_text(&routed.paid("mended", json!({})).await?) == "unionpay|netsunion pause");
    ensure!(stage.core_metric("sluice_core_routing_invalid").await? == 0);
    ensure!(stage.core_metric("sluice_core_routing_version").await? == 2);
    Ok(())
}

/// An order that insists on the paused channel; it waits and says why.
async fn one_insists(routed: &RoutedStage) -> anyhow::Result<String> {
    let insists = routed
        .submit("insists", json!({ "channel": "netsunion" }))
        .await?;
    let shown = routed.waits_for(&insists, "line works").await?;
    ensure!(
        shown["route"]["chosen"].is_null() && route_text(&shown) == "-|netsunion pause",
        "{shown}"
    );
    let (_, said) = routed.run(&["explain", &insists])?;
    ensure!(
        said.contains("by version 2") && said.contains("line works"),
        "{said}"
    );
    // It is looked at again and again, and written once.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    ensure!(
        routed.set.stage.client.order(&insists).await?["version"] == 2,
        "rewritten at every look"
    );
    Ok(insists)
}
