//! Rules and blacklists choose among channels.

use crate::routing::{BOTH_CHANNELS, RoutedStage, route_text};
use anyhow::ensure;
use serde_json::json;
use std::time::{Duration, Instant};

/// Rules of every sort, and what each does to an order.
const RULES_CONFIG: &str = r#"
[[rule]]
id = "single"
condition = "amount <= most"
message = "{amount} is above {most}"
details.netsunion.most = 5
[[rule]]
id = "maintenance"
condition = "bank != \"NIGHT\" || !within(windows)"
message = "closed"
details.netsunion.windows = ["daily 00:00-24:00"]
details.unionpay.windows = ["2020-01-01 00:00-2020-01-02 00:00"]
[[rule]]
id = "banks"
condition = "!(bank in banks)"
message = "bank {bank} can't be reached"
details."*".banks = ["CLOSED"]
details.netsunion.banks = ["CLOSED", "RCCB"]
[[rule]]
id = "accounts"
condition = "!(account in accounts)"
message = "not for {account}"
details.netsunion.accounts = ["A00002"]
[[rule]]
id = "payees"
condition = "!(to_account in payees)"
message = "{to_account} is blocked"
otherwise = "fail"
details."*".payees = ["thief"]
[[limit]]
scope = "user"
currency = "CNY"
single = "7.50"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn rules_and_blacklists_decide_and_what_has_no_route_waits_or_fails() -> anyhow::Result<()> {
    let routed = RoutedStage::up(3).await?;
    routed.apply(&format!("{BOTH_CHANNELS}{RULES_CONFIG}"))?;
    rules_choose(&routed).await?;
    // Nobody takes it: it waits, says why, and goes on after a change.
    let waits = routed
        .submit("waits", json!({ "bankCode": "CLOSED" }))
        .await?;
    let shown = routed
        .waits_for(&waits, "bank CLOSED can't be reached")
        .await?;
    ensure!(
        route_text(&shown) == "-|netsunion rule banks|unionpay rule banks",
        "{shown}"
    );
    let limited = routed
        .submit("limited", json!({ "amount": "7.51", "userId": "u1" }))
        .await?;
    routed
        .waits_for(&limited, "7.51 is above 7.5 CNY in one payment")
        .await?;
    two_are_counted_as_unrouted(&routed).await?;
    // Not kept waiting only to fail in the end: the blocked payee counts first.
    let thief = routed
        .submit(
            "thief",
            json!({ "toAccountId": "thief", "bankCode": "CLOSED" }),
        )
        .await?;
    routed.set.stage.wait_for_status(&thief, "failed").await?;
    let shown = routed.set.stage.client.order(&thief).await?;
    ensure!(
        shown["resultCode"] == "no_route"
            && route_text(&shown) == "-|netsunion rule payees|unionpay rule payees",
        "{shown}"
    );
    // Taken back while it waits, like any order that was never sent.
    let cancelled = routed
        .submit("cancelled", json!({ "bankCode": "CLOSED" }))
        .await?;
    routed.waits_for(&cancelled, "a route").await?;
    routed.set.stage.client.cancel(&cancelled).await?;
    let (_, account) = routed.set.stage.client.get("/accounts/A00001").await?;
    ensure!(
        account["data"]["balances"][0]["reserved"] == "8.76",
        "failed or cancelled orders keep money: {account}"
    );

    routed.apply(
        &format!("{BOTH_CHANNELS}{RULES_CONFIG}")
            .replace("\"CLOSED\"", "\"SHUT\"")
            .replace("7.50", "8"),
    )?;
    routed.set.stage.wait_for_status(&waits, "success").await?;
    routed
        .set
        .stage
        .wait_for_status(&limited, "success")
        .await?;
    routed.set.all_is_well().await
}

async fn rules_choose(routed: &RoutedStage) -> anyhow::Result<()> {
    let cases = [
        ("plain", json!({}), "netsunion"),
        (
            "large",
            json!({ "amount": "5.01" }),
            "unionpay|netsunion rule single",
        ),
        (
            "night",
            json!({ "bankCode": "NIGHT" }),
            "unionpay|netsunion rule maintenance",
        ),
        (
            "bank",
            json!({ "bankCode": "RCCB" }),
            "unionpay|netsunion rule banks",
        ),
        (
            "account",
            json!({ "fromAccountId": "A00002" }),
            "unionpay|netsunion rule accounts",
        ),
    ];
    for (name, more, want) in cases {
        let order = routed.paid(name, more).await?;
        ensure!(route_text(&order) == want, "{name}: {order}");
    }
    Ok(())
}

async fn two_are_counted_as_unrouted(routed: &RoutedStage) -> anyhow::Result<()> {
    // Its metrics are counted every other second.
    let begun = Instant::now();
    while routed
        .set
        .stage
        .core_metric("sluice_core_unrouted_orders")
        .await?
        != 2
    {
        ensure!(
            begun.elapsed() < Duration::from_secs(10),
            "orders without a route are not counted"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
