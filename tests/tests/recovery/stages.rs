//! Each stage of recovery waits for one thing, and becomes a case if it never comes.

use crate::recovery::{WAIT_TIMEOUT, cases, sluice_orders, submit, wait_for_case};
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sluice_contract::event::OrderEvent;
use sluice_drill::channels::{ActionScript, ScriptedAction, SimulatorKind};
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

fn with(extra: &str) -> StageOptions {
    let options = options();
    StageOptions {
        core_extra: format!("{}\n{extra}", options.core_extra),
        ..options
    }
}

async fn post(set: &TestStage, path: &str) -> anyhow::Result<(u16, Value)> {
    set.stage.client.post(path, &json!({}), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn stage_1_waits_for_the_fence_and_stage_3_for_a_callback_until_they_are_cases()
-> anyhow::Result<()> {
    let mut set = TestStage::up(with(
        "recovery.unsent_case_after_ms = 1000\nrecovery.pending_case_after_ms = 2000",
    ))
    .await?;
    Traffic::new("stages", 20).fund(&set.stage, 1_000).await?;

    // Stage 3: the channel never tells, and queries say "in process" until late.
    let slow = ScriptedAction::InProcessThenNotify { ms: 9_000 };
    set.stage
        .sims
        .add_script(SimulatorKind::UnionPay, ActionScript::new("slow7", slow))?;
    let third = submit(&set, "slow", 7, SimulatorKind::UnionPay).await?;
    wait_for_case(&set, &third, "exhausted open -").await?;
    set.stage.wait_for_status(&third, "manual").await?;
    ensure!(
        sluice_orders(&set, &["stuck"])
            .await?
            .contains("case exhausted: asked "),
        "not shown as a case"
    );

    // Stage 1: without a sidecar nothing is sent. The order waits on, the case tells.
    set.stage
        .sidecar
        .as_mut()
        .context("the stage has a sidecar")?
        .kill9()?;
    let first = submit(&set, "dark", 1, SimulatorKind::NetsUnion).await?;
    wait_for_case(&set, &first, "not_sent open -").await?;
    let stuck = sluice_orders(&set, &["stuck", "--older", "1s"]).await?;
    let row = stuck
        .lines()
        .find(|l| l.contains(&first))
        .context("it isn't listed")?;
    ensure!(
        row.starts_with("sending") && row.contains("fence: no sidecar answers"),
        "{row}"
    );
    ensure!(
        stuck.contains("case not_sent: waits to be sent: fence"),
        "{stuck}"
    );
    ensure!(
        set.stage.client.order(&first).await?["status"] == "init",
        "waiting must not end an order"
    );
    // Longer than the bound: the case stays the one case.
    tokio::time::sleep(Duration::from_secs(2)).await;
    ensure!(cases(&set, &first).await?.len() == 1, "more than one case");

    // Both causes go away; both orders end by themselves, and so do their cases.
    set.stage
        .sidecar
        .as_mut()
        .context("the stage has a sidecar")?
        .restart()?;
    set.stage.wait_for_status(&first, "success").await?;
    set.stage.wait_for_status(&third, "success").await?;
    wait_for_case(&set, &first, "not_sent closed channel").await?;
    wait_for_case(&set, &third, "exhausted closed channel").await?;
    its_history_tells_all(&set, &third).await?;
    ensure!(
        sluice_orders(&set, &["stuck"]).await? == "no order is stuck\n",
        "something is stuck"
    );
    set.all_is_well().await
}

#[tokio::test(flavor = "multi_thread")]
async fn stage_4_tells_again_until_it_is_acknowledged_or_a_case() -> anyhow::Result<()> {
    let extra = "[acknowledgement]\nclients = [\"local\"]\ninitial_delay_ms = 300\nmax_delay_ms = 500\nmax_notifications = 2";
    let set = TestStage::up(with(extra)).await?;
    Traffic::new("acknowledged", 20)
        .fund(&set.stage, 1_000)
        .await?;
    let slow = ScriptedAction::InProcessThenNotify { ms: 2_000 };
    set.stage
        .sims
        .add_script(SimulatorKind::UnionPay, ActionScript::new("open3", slow))?;
    let (deaf, open) = (
        submit(&set, "deaf", 1, SimulatorKind::NetsUnion).await?,
        submit(&set, "open", 3, SimulatorKind::UnionPay).await?,
    );
    let (status, answer) = post(&set, &format!("/withdraw/{open}/ack")).await?;
    ensure!(
        status == 409 && answer["code"] == 40902,
        "acknowledged before its end: {status} {answer}"
    );

    // Told twice again, then a person's; the same event each time.
    wait_for_case(&set, &deaf, "unacknowledged open -").await?;
    ensure!(
        sluice_orders(&set, &["show", &deaf])
            .await?
            .contains("case         unacknowledged: local was told 2 times"),
        "no case"
    );
    let ends = |order: &str| -> anyhow::Result<Vec<_>> {
        Ok(set
            .published()?
            .into_iter()
            .filter(|e| e.order_id == order && e.kind == "withdraw.success")
            .collect())
    };
    the_same_event_comes_again(|| ends(&deaf)).await?;

    acknowledged_twice(&set, &deaf).await?;

    // Acknowledged in time: never told again.
    set.stage.wait_for_status(&open, "success").await?;
    ensure!(post(&set, &format!("/withdraw/{open}/ack")).await?.0 == 200);
    // What was told before may still be on its way to Kafka.
    tokio::time::sleep(Duration::from_millis(800)).await;
    let acknowledged = ends(&open)?.len();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let told = ends(&open)?.len();
    ensure!(
        told == acknowledged && cases(&set, &open).await?.is_empty(),
        "told {told} times, after {acknowledged} it was acknowledged"
    );

    // Everybody may ask to be told again, but not all the time.
    let asked = post(&set, &format!("/withdraw/{open}/renotify")).await?;
    let again = post(&set, &format!("/withdraw/{open}/renotify")).await?;
    ensure!((asked.0, again.0) == (202, 429), "{asked:?} {again:?}");
    let begun = Instant::now();
    while ends(&open)?.len() <= told {
        ensure!(begun.elapsed() < WAIT_TIMEOUT, "not told again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    set.all_is_well().await
}

async fn its_history_tells_all(set: &TestStage, order: &str) -> anyhow::Result<()> {
    let told = sluice_orders(set, &["history", order]).await?;
    for line in [
        "1 accepted from local",
        "query (processing) at unionpay",
        "exhausted (processing → manual)",
        "succeeded (manual → success)",
        "exhausted closed by channel",
        "finalize: 3 CNY from reserved",
    ] {
        ensure!(told.contains(line), "no {line:?} in {told}");
    }
    Ok(())
}

async fn the_same_event_comes_again(
    ends: impl Fn() -> anyhow::Result<Vec<OrderEvent>>,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let times = loop {
        let told = ends()?;
        if told.len() >= 3 || begun.elapsed() > WAIT_TIMEOUT {
            break told;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    ensure!(
        times.len() >= 3 && times.iter().all(|e| *e == times[0]),
        "not the same event again: {times:?}"
    );
    Ok(())
}

/// A second acknowledgement changes nothing.
async fn acknowledged_twice(set: &TestStage, order: &str) -> anyhow::Result<()> {
    for _ in 0..2 {
        let (status, answer) = post(set, &format!("/withdraw/{order}/ack")).await?;
        ensure!(status == 200, "{status} {answer}");
    }
    wait_for_case(set, order, "unacknowledged closed upstream").await?;
    ensure!(
        set.stage.client.order(order).await?["acknowledgedUs"].is_number(),
        "it isn't shown as acknowledged"
    );
    Ok(())
}
