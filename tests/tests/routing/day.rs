//! The day of an account is one day, whatever channel pays and whatever zone that has; a
//! limit per user is for everybody.

use crate::routing::RoutedStage;
use crate::routing::limits::away_from_midnight;
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use serde_json::json;
use sluice_drill::channels::SimulatorKind;
use sluice_drill::stage::StageOptions;
use sluice_tests::options;

/// Case 05: two channels whose dates always differ, and a day's limit of one payment.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_limit_is_of_one_day_over_channels_of_two_zones() -> anyhow::Result<()> {
    away_from_midnight().await?;
    let two_zones = StageOptions {
        zones: vec![
            (SimulatorKind::NetsUnion, "+14:00"),
            (SimulatorKind::Psp, "-12:00"),
        ],
        ..options()
    };
    let routed = RoutedStage::with(two_zones, 3).await?;
    routed.apply(
        "no_route = \"wait\"\n[[channel]]\nid = \"netsunion\"\npriority = 1\n[[channel]]\nid = \"psp\"\npriority = 1\n\
         [[limit]]\nscope = \"account\"\ncurrency = \"CNY\"\nday = 100\n",
    )?;
    let pay = async |name: &str, channel: &str| {
        let more = json!({ "amount": "100.00", "channel": channel });
        routed.submit(name, more).await
    };
    let first = pay("zone-1", "netsunion").await?;
    routed.set.stage.wait_for_status(&first, "success").await?;
    for (name, channel) in [
        ("zone-2", "psp"),
        ("zone-3", "netsunion"),
        ("zone-4", "psp"),
    ] {
        let over = pay(name, channel).await?;
        routed.waits_for(&over, "100 of 100 CNY are taken").await?;
    }
    let mut conn = routed.set.stage.pool.get_conn().await?;
    let days: Vec<String> = conn
        .query(format!(
            "SELECT period FROM {}.limit_total WHERE scope='account' AND scope_key='A00001' AND LENGTH(period)=8",
            routed.set.stage.schemas.orders
        ))
        .await?;
    let now = sluice_contract::clock::now_us();
    let today = sluice_contract::clock::trade_time(now, "Asia/Shanghai")?;
    ensure!(days == [&today[..8]], "{days:?} on {today}");
    let held = routed.set.stage.invariants().await?;
    ensure!(held.totals_match_orders, "{:?}", held.problems);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_per_user_refuses_an_order_that_names_none() -> anyhow::Result<()> {
    let routed = RoutedStage::up(3).await?;
    routed.apply(
        "[[channel]]\nid = \"netsunion\"\npriority = 1\n[[limit]]\nscope = \"user\"\ncurrency = \"CNY\"\nday = 1000\n",
    )?;
    let nameless = routed.submit("nameless", json!({ "userId": null })).await?;
    routed
        .set
        .stage
        .wait_for_status(&nameless, "failed")
        .await?;
    let shown = routed.set.stage.client.order(&nameless).await?;
    ensure!(shown.to_string().contains("limit user/-/CNY"), "{shown}");
    routed.paid("named", json!({ "userId": "u1" })).await?;
    routed.set.all_is_well().await
}
