//! Orders that have ended and are set back past the binlog: none is paid uncovered, whether
//! its row is changed, put back as it once was, or its history is taken away too.

use crate::identity::{change_unseen, id_of};
use crate::recovery::{WAIT_TIMEOUT, submit, wait_for_case};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use serde_json::json;
use sluice_contract::ids::serial_no;
use sluice_drill::channels::{ActionScript, ScriptedAction, SimulatorKind};
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

const CASE: &str = "altered open -";

async fn seal_of(set: &TestStage, order: &str) -> anyhow::Result<String> {
    let orders = &set.stage.schemas.orders;
    let sql = format!("SELECT send_mac FROM {orders}.orders WHERE order_id='{order}'");
    let seal: Option<Option<String>> = set.stage.pool.get_conn().await?.query_first(sql).await?;
    seal.flatten().context("an accepted order has no seal")
}

/// Sets the order to `init` where no binlog shows it, with more assignments.
async fn set_back(set: &TestStage, order: &str, more: &str) -> anyhow::Result<()> {
    let orders = &set.stage.schemas.orders;
    let update =
        format!("UPDATE {orders}.orders SET state='init',due_us=1{more} WHERE order_id='{order}'");
    ensure!(change_unseen(set, &update).await? == 1, "{update}");
    Ok(())
}

fn is_paid(set: &TestStage, order: &str) -> bool {
    let serial = serial_no(order);
    set.stage.book().iter().any(|p| p.serial_no == serial)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_order_that_is_set_back_is_not_paid() -> anyhow::Result<()> {
    let mut set = TestStage::up(StageOptions {
        dispatch: false,
        ..options()
    })
    .await?;
    Traffic::new("set-back", 20)
        .fund(&set.stage, 10_000)
        .await?;
    let mut orders = Vec::new();
    for n in 0..4 {
        orders.push(submit(&set, "back", n, SimulatorKind::UnionPay).await?);
    }
    let [changed, put_back, without_history, honest] = orders.as_slice() else {
        unreachable!("four were made")
    };
    let schema = &set.stage.schemas.orders;
    for order in [changed, put_back, without_history] {
        let open = seal_of(&set, order).await?;
        set.stage.client.cancel(order).await?;
        let more = if order == changed {
            String::new()
        } else {
            format!(",send_mac='{open}',version=1,result_code=NULL")
        };
        set_back(&set, order, &more).await?;
    }
    let forget =
        format!("DELETE FROM {schema}.order_transition WHERE order_id='{without_history}'");
    ensure!(change_unseen(&set, &forget).await? >= 1, "{forget}");
    let mut core = set.stage.core.take().context("the stage has a core")?;
    core.kill9()?;
    drop(core);
    set.stage.options.dispatch = true;
    set.stage.start_core().await?;

    set.stage.wait_for_status(honest, "success").await?;
    for order in [changed, put_back, without_history] {
        wait_for_case(&set, order, CASE).await?;
    }
    set.everything_is_evaluated().await?;
    let found = set.verdicts().await?;
    for (n, order) in [changed, put_back, without_history].into_iter().enumerate() {
        ensure!(!is_paid(&set, order), "{n} is paid without cover");
        let verdict = format!("order_altered A{n:05} {order}");
        ensure!(
            found.iter().any(|v| v.starts_with(&verdict)),
            "{n}: {found:?}"
        );
    }
    ensure!(set.stage.book().len() == 1, "{:?}", set.stage.book());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_every_channel_declined_and_that_is_set_back_is_not_paid()
-> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("declined", 20).fund(&set.stage, 1_000).await?;
    // Each declines once and forgets it: it would pay now.
    for kind in SimulatorKind::ALL {
        let once = ActionScript {
            times: Some(1),
            ..ActionScript::new("shut", ScriptedAction::RefuseAndForget { not_here: true })
        };
        set.stage.sims.add_script(kind, once)?;
    }
    let body = json!({ "fromAccountId": "A00000", "toAccountId": "shut", "amount": "3.00" });
    let key = [("idempotent-key", "shut")];
    let (status, answer) = set.stage.client.post("/withdraw", &body, &key).await?;
    ensure!(status == 202, "{answer}");
    let order = id_of(&answer)?;
    set.stage.wait_for_status(&order, "failed").await?;
    set_back(&set, &order, "").await?;
    wait_for_case(&set, &order, CASE).await?;
    ensure!(!is_paid(&set, &order), "it is paid without cover");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_attempt_was_ended_by_hand_is_a_case_and_not_sent_again()
-> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("attempt", 20).fund(&set.stage, 1_000).await?;
    let lost = ScriptedAction::TimeoutWithoutPaying { hold_ms: 1_400 };
    let script = ActionScript::new("lost", lost);
    set.stage
        .sims
        .add_script(SimulatorKind::NetsUnion, script)?;
    let order = submit(&set, "lost", 0, SimulatorKind::NetsUnion).await?;
    let begun = Instant::now();
    while set.stage.client.order(&order).await?["tradeTime"].is_null() {
        ensure!(begun.elapsed() < WAIT_TIMEOUT, "never sent");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let orders = &set.stage.schemas.orders;
    let ended = format!("UPDATE {orders}.attempt SET live=NULL WHERE order_id='{order}'");
    ensure!(change_unseen(&set, &ended).await? == 1, "{ended}");
    set_back(&set, &order, "").await?;
    wait_for_case(&set, &order, CASE).await?;
    ensure!(!is_paid(&set, &order), "it is paid");
    Ok(())
}
