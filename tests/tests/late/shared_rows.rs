//! Rows that many orders share: one that this version can't read, or that somebody has
//! lowered, is one case, and neither a thousand nor a veto.

use crate::late::{by_hand, cases, column, script, submit, wait_for, wait_for_case, with};
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use sluice_drill::channels::{ScriptedAction, SimulatorKind};
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::TestStage;
use std::time::Duration;

/// Without a sidecar: it would find the hand.
fn unwatched() -> StageOptions {
    StageOptions {
        fence: false,
        ..with("")
    }
}

async fn unwatched_stage() -> anyhow::Result<TestStage> {
    let mut set = TestStage::prepare(unwatched()).await?;
    set.stage.start_core().await?;
    Traffic::new("shared", 20).fund(&set.stage, 1_000).await?;
    Ok(set)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_of_a_newer_version_stops_its_point_and_is_one_case() -> anyhow::Result<()> {
    let set = unwatched_stage().await?;
    let breaker = format!("{}.breaker", set.stage.schemas.guard);
    by_hand(
        &set,
        &format!(
            "INSERT INTO {breaker} (point,scope,scope_key,state,reason,changed_by,version,updated_us) \
             VALUES ('cash_out','galaxy','G','open','a newer sidecar','test',1,1)"
        ),
    )
    .await?;
    let mut orders = Vec::new();
    for n in 0..12 {
        orders.push(submit(&set, &format!("A{n:05}"), &format!("new{n}.payee")).await?);
    }
    wait_for_case(&set, "breaker", "unreadable open").await?;
    // Claimed and held several times by now: twelve orders, no case of theirs.
    tokio::time::sleep(Duration::from_secs(2)).await;
    ensure!(cases(&set, "breaker").await?.len() == 1);
    for order in &orders {
        ensure!(cases(&set, order).await?.is_empty(), "a case of {order}");
        ensure!(column(&set, order, "state").await? == "init");
    }
    ensure!(set.stage.book().is_empty(), "money passed a breaker");
    by_hand(&set, &format!("DELETE FROM {breaker} WHERE scope='galaxy'")).await?;
    for order in &orders {
        set.stage.wait_for_status(order, "success").await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lowered_total_is_a_case_and_the_money_is_released() -> anyhow::Result<()> {
    let set = unwatched_stage().await?;
    let fails = ScriptedAction::FailLater { ms: 3_000 };
    script(&set, SimulatorKind::UnionPay, "fails", &[fails])?;
    let order = {
        let ask = sluice_drill::stage::client::UpstreamSubmit {
            from: "A00001".into(),
            to: "fails.payee".into(),
            amount: "3.00".into(),
            transaction_id: "fails-1".into(),
            biz_no: "fails-1".into(),
            channel: SimulatorKind::UnionPay.to_string(),
        };
        set.stage.client.submit(&ask).await?
    };
    wait_for(&set, &order, "state", "processing").await?;
    let totals = format!("{}.limit_total", set.stage.schemas.orders);
    by_hand(
        &set,
        &format!("UPDATE {totals} SET amount=0 WHERE scope='account'"),
    )
    .await?;
    set.stage.wait_for_status(&order, "failed").await?;
    wait_for_case(&set, &order, "limit_total open").await?;
    let sql = format!(
        "SELECT CAST(SUM(reserved) AS CHAR) FROM {}.balance WHERE account_id='A00001'",
        set.stage.schemas.balance
    );
    let reserved: Option<String> = set.stage.pool.get_conn().await?.query_first(sql).await?;
    ensure!(
        reserved.as_deref() == Some("0.0000"),
        "still reserved: {reserved:?}"
    );
    // The totals that nobody touched are given back.
    let sql = format!("SELECT COUNT(*) FROM {totals} WHERE amount<>0");
    let left: Option<u64> = set.stage.pool.get_conn().await?.query_first(sql).await?;
    ensure!(left == Some(0), "{left:?} totals still count it");
    Ok(())
}
