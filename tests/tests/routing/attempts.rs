//! An order goes to another channel only under the attempts that it has had: nobody takes
//! one away, even where no binlog shows it.

use crate::recovery::wait_for_case;
use crate::routing::{BOTH_CHANNELS, RoutedStage, attempts};
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use serde_json::json;
use sluice_contract::sql;
use sluice_drill::channels::{ActionScript, ScriptedAction, SimulatorKind};

/// Changes of the attempt of an order that waits for its second channel.
const CHANGES: [(&str, &str); 3] = [
    ("UPDATE", "SET attempt_no=9"),
    ("UPDATE", "SET live=1"),
    ("DELETE FROM", ""),
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_again_under_attempts_that_were_changed() -> anyhow::Result<()> {
    let routed = RoutedStage::up(3).await?;
    let set = &routed.set;
    set.stage.sims.add_script(
        SimulatorKind::NetsUnion,
        ActionScript::new("near", ScriptedAction::NotHere),
    )?;
    routed.apply(&BOTH_CHANNELS.replace("priority = 2", "priority = 2\npaused = true"))?;
    let honest = routed
        .submit("honest", json!({ "toAccountId": "near" }))
        .await?;
    routed.waits_for(&honest, "unionpay: pause").await?;
    let mut changed = Vec::new();
    // All wait before the first is changed: that is noticed, and stops their account.
    for n in 0..CHANGES.len() {
        let order = routed
            .submit(&format!("changed-{n}"), json!({ "toAccountId": "near" }))
            .await?;
        routed.waits_for(&order, "unionpay: pause").await?;
        ensure!(attempts(set, &order).await? == ["1 netsunion failed NULL"]);
        changed.push(order);
    }
    let mut conn = sql::connect(&set.stage.url).await?;
    conn.query_drop("SET SESSION sql_log_bin=0").await?;
    for (order, (verb, change)) in changed.iter().zip(CHANGES) {
        let orders = &set.stage.schemas.orders;
        let statement = format!("{verb} {orders}.attempt {change} WHERE order_id='{order}'");
        conn.query_drop(statement).await?;
        ensure!(conn.affected_rows() == 1, "{verb} {change}");
    }
    routed.apply(BOTH_CHANNELS)?;
    for order in &changed {
        wait_for_case(set, order, "altered open -").await?;
    }
    for order in &changed {
        let serial = sluice_contract::ids::serial_no(order);
        let paid = set.stage.book();
        let paid = paid.iter().filter(|p| p.serial_no == serial);
        ensure!(paid.count() == 0, "{order} was paid");
    }
    Ok(())
}
