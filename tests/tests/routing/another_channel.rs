//! An order goes to another channel only if the first one can't have paid it.

use crate::routing::{BOTH_CHANNELS, RoutedStage, attempts, route_text};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use serde_json::json;
use sluice_drill::channels::{ActionScript, ScriptedAction, SimulatorKind, SimulatorServer};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_channel_declines_for_itself_alone_goes_through_another() -> anyhow::Result<()> {
    let routed = RoutedStage::up(3).await?;
    let limit = "[[limit]]\nscope = \"channel\"\ncurrency = \"CNY\"\nday = 50\n";
    routed.apply(&format!("{BOTH_CHANNELS}{limit}"))?;
    let (sims, client) = (&routed.set.stage.sims, &routed.set.stage.client);
    channels_that_decline(sims)?;
    for name in ["near", "later"] {
        let order = routed.paid(name, json!({ "toAccountId": name })).await?;
        ensure!(
            route_text(&order) == "unionpay|netsunion channel" && order["channel"] == "unionpay",
            "{order}"
        );
        let id = order["withdrawOrderId"]
            .as_str()
            .context("an order has an id")?;
        ensure!(
            order["serialNo"] == sluice_contract::ids::serial_no(id).as_str(),
            "{order}"
        );
        ensure!(
            attempts(&routed.set, id).await?
                == ["1 netsunion failed NULL", "2 unionpay success NULL"],
            "{order}"
        );
    }
    // Nobody takes it: it ends by what the last one said, and nothing stays counted.
    let nowhere = routed
        .submit("nowhere", json!({ "toAccountId": "nowhere" }))
        .await?;
    routed.set.stage.wait_for_status(&nowhere, "failed").await?;
    let shown = client.order(&nowhere).await?;
    ensure!(
        shown["resultCode"] == "00N" && shown["route"]["tried"] == json!(["netsunion", "unionpay"]),
        "{shown}"
    );
    // Its caller wants this channel and no other.
    let wished = routed
        .submit(
            "wished",
            json!({ "toAccountId": "near", "channel": "netsunion" }),
        )
        .await?;
    routed.set.stage.wait_for_status(&wished, "failed").await?;
    ensure!(client.order(&wished).await?["resultCode"] == "1005");
    // Between two channels it can be taken back.
    routed.apply(
        &format!("{BOTH_CHANNELS}{limit}").replace("priority = 2", "priority = 2\npaused = true"),
    )?;
    let between = routed
        .submit("between", json!({ "toAccountId": "near" }))
        .await?;
    routed.waits_for(&between, "unionpay: pause").await?;
    client.cancel(&between).await?;
    let cases: Option<u64> = {
        let mut conn = routed.set.stage.pool.get_conn().await?;
        conn.query_first(format!(
            "SELECT COUNT(*) FROM {}.cases",
            routed.set.stage.schemas.orders
        ))
        .await?
    };
    ensure!(
        cases == Some(0),
        "a word that was only repeated became a case"
    );
    routed.set.all_is_well().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_paid_what_it_declined_keeps_the_order_from_every_other()
-> anyhow::Result<()> {
    let routed = RoutedStage::up(3).await?;
    let (set, client) = (&routed.set, &routed.set.stage.client);
    set.stage.sims.add_script(
        SimulatorKind::NetsUnion,
        ActionScript::new("liar", ScriptedAction::NotHereThoughPaid { ms: 1_500 }),
    )?;
    routed.apply(&BOTH_CHANNELS.replace("priority = 2", "priority = 2\npaused = true"))?;
    let order = routed
        .submit("lied", json!({ "toAccountId": "liar" }))
        .await?;
    routed.waits_for(&order, "unionpay: pause").await?;
    set.stage.wait_for_status(&order, "manual").await?;
    // The other channel is free now, and must not be asked.
    routed.apply(BOTH_CHANNELS)?;
    routed
        .paid("after", json!({ "channel": "unionpay" }))
        .await?;
    ensure!(
        client.cancel(&order).await.is_err(),
        "taken back, though it is said to be paid"
    );
    let shown = client.order(&order).await?;
    ensure!(
        shown["status"] == "manual" && shown["route"]["recanted"] == json!(["netsunion"]),
        "{shown}"
    );
    ensure!(
        attempts(set, &order).await? == ["1 netsunion failed NULL"],
        "sent again: {shown}"
    );
    let cases: Vec<(String, String)> = {
        let mut conn = set.stage.pool.get_conn().await?;
        conn.query(format!(
            "SELECT kind,detail FROM {}.cases WHERE state='open'",
            set.stage.schemas.orders
        ))
        .await?
    };
    ensure!(
        cases.len() == 1
            && cases[0].0 == "contradiction"
            && cases[0].1.contains("says that it paid"),
        "{cases:?}"
    );
    set.histories_have_no_gap().await?;
    let held = set.stage.invariants().await?;
    ensure!(
        held.paid_at_most_once && held.ledger_balanced && held.balances_match_ledger,
        "{:?}",
        held.problems
    );
    set.everything_is_evaluated().await?;
    let seen = set.verdicts().await?;
    ensure!(
        seen.len() == 1 && seen[0].starts_with("channel_contradicts "),
        "{seen:?}"
    );
    Ok(())
}

fn channels_that_decline(sims: &SimulatorServer) -> anyhow::Result<()> {
    for name in ["near", "nowhere"] {
        sims.add_script(
            SimulatorKind::NetsUnion,
            ActionScript::new(name, ScriptedAction::NotHere),
        )?;
    }
    sims.add_script(
        SimulatorKind::NetsUnion,
        ActionScript::new("later", ScriptedAction::NotHereLater { ms: 300 }),
    )?;
    sims.add_script(
        SimulatorKind::UnionPay,
        ActionScript::new("nowhere", ScriptedAction::NotHereLater { ms: 50 }),
    )?;
    Ok(())
}
