//! Limits of a day count what was paid, over all cores.

use crate::routing::{BOTH_CHANNELS, RoutedStage, counted, submit};
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sluice_drill::channels::{ActionScript, ScriptedAction, SimulatorKind};
use sluice_drill::setup::ports::free_port;
use sluice_drill::stage::StagePorts;
use sluice_drill::stage::client::StageClient;
use sluice_tests::TestStage;
use std::time::{Duration, Instant};

/// A day's limit begins anew at midnight of the channel's zone: not within this test.
pub(super) async fn away_from_midnight() -> anyhow::Result<()> {
    while sluice_contract::clock::trade_time(sluice_contract::clock::now_us(), "Asia/Shanghai")?
        .get(8..12)
        == Some("2359")
    {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

async fn until_counted(set: &TestStage, want: Decimal) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let now = counted(set).await?;
        ensure!(now <= Decimal::from(50), "{now} were sent, the limit is 50");
        if now == want {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(30),
            "{now} are counted, not {want}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_limit_holds_over_two_cores_and_takes_back_what_failed_or_returned()
-> anyhow::Result<()> {
    away_from_midnight().await?;
    let routed = RoutedStage::up(3).await?;
    let set = &routed.set;
    let limit = "[[limit]]\nscope = \"account\"\ncurrency = \"CNY\"\nday = 50\n";
    let equal = BOTH_CHANNELS.replace("priority = 2", "priority = 1");
    routed.apply(&format!(
        "{equal}{limit}[[limit]]\nscope = \"business\"\ncurrency = \"CNY\"\nmonth = 100000\n"
    ))?;
    channels_that_fail_and_return(set)?;
    let ports = StagePorts {
        core: free_port()?,
        core_admin: free_port()?,
        ..set.stage.ports
    };
    let mut second = set.stage.spawn_core("core-2", ports).await?;
    let other = StageClient::new(
        &ports.url(ports.core),
        &ports.url(ports.sidecar),
        &set.stage.token,
    )?;

    // 90 orders of 1.25 where 40 fit; a third fails, a third comes back: in the end
    // every one of these has made room for another.
    let orders = futures_util::future::try_join_all((0..90).map(|n| {
        let client = if n % 2 == 0 {
            &set.stage.client
        } else {
            &other
        };
        let (to, channel) = match n % 3 {
            0 => (format!("fail-{n}"), None),
            1 => (format!("back-{n}"), Some("unionpay")),
            _ => (format!("payee-{n}"), None),
        };
        let user = format!("u{}", n % 5);
        let more = json!({ "toAccountId": to, "channel": channel, "userId": user });
        async move { submit_again(client, &format!("limit-{n}"), more).await }
    }));
    let (orders, killed) = tokio::join!(orders, async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        second.kill9()?;
        second.restart()
    });
    killed?;
    let orders = orders?;
    never_above_the_limit(set).await?;
    // Nothing is sent any more; once the last has come back, the 30 that stay paid
    // are left: 37.50. (Before the end of sending that sum may just pass by.)
    until_counted(set, Decimal::new(3_750, 2)).await?;
    ensure!(orders.len() == 90);

    // Ten more fit to the cent; the eleventh waits, and goes once the limit is raised.
    for n in 0..10 {
        routed.paid(&format!("more-{n}"), json!({})).await?;
    }
    let over = routed.submit("over", json!({ "amount": "0.01" })).await?;
    routed.waits_for(&over, "50 of 50 CNY are taken").await?;
    ensure!(counted(set).await? == Decimal::from(50));
    routed.apply(&format!("{equal}{}", limit.replace("50", "\"50.01\"")))?;
    set.stage.wait_for_status(&over, "success").await?;
    set.all_is_well().await?;
    a_cent_too_much_is_seen(set).await
}

/// Submits as an upstream does: what a killed core has left unanswered is asked again.
async fn submit_again(client: &StageClient, name: &str, more: Value) -> anyhow::Result<String> {
    let begun = Instant::now();
    loop {
        match submit(client, name, more.clone()).await {
            Err(_) if begun.elapsed() < Duration::from_secs(30) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            answered => return answered,
        }
    }
}

fn channels_that_fail_and_return(set: &TestStage) -> anyhow::Result<()> {
    set.stage.sims.add_script(
        SimulatorKind::NetsUnion,
        ActionScript::new("fail", ScriptedAction::Fail),
    )?;
    set.stage.sims.add_script(
        SimulatorKind::UnionPay,
        ActionScript::new("fail", ScriptedAction::FailLater { ms: 100 }),
    )?;
    set.stage.sims.add_script(
        SimulatorKind::UnionPay,
        ActionScript::new("back", ScriptedAction::ReturnAfterSuccess { ms: 150 }),
    )?;
    Ok(())
}

async fn a_cent_too_much_is_seen(set: &TestStage) -> anyhow::Result<()> {
    // What that compares is worth something: a cent too much in one total is seen.
    let mut conn = set.stage.pool.get_conn().await?;
    conn.query_drop(format!(
        "UPDATE {}.limit_total SET amount=amount+0.01 LIMIT 1",
        set.stage.schemas.orders
    ))
    .await?;
    ensure!(
        !set.stage.invariants().await?.totals_match_orders,
        "a wrong total was not seen"
    );
    Ok(())
}

/// Watches the sum until no order waits.
async fn never_above_the_limit(set: &TestStage) -> anyhow::Result<()> {
    let begun = Instant::now();
    while set.stage.drain(0, Duration::ZERO).await? > 0 {
        let now = counted(set).await?;
        ensure!(now <= Decimal::from(50), "{now} were sent, the limit is 50");
        ensure!(
            begun.elapsed() < Duration::from_secs(30),
            "orders still wait although there is room"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
