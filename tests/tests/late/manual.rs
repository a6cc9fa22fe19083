//! An order that is a person's case is asked for on, slowly, and a clear answer ends it.

use crate::late::{column, submit, wait_for, wait_for_case, with};
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use sluice_drill::channels::{
    ActionScript, ScriptedAction, SimulatedChannelConfig, SimulatorConfig, SimulatorKind,
};
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::TestStage;

/// NetsUnion takes so long to settle what it has, and never tells.
fn slow_channel(callback_delay_ms: u64) -> SimulatorConfig {
    let config = SimulatedChannelConfig {
        callback_delay_ms,
        scripts: vec![ActionScript::new("slow", ScriptedAction::NoCallback)],
        ..SimulatedChannelConfig::default()
    };
    SimulatorConfig::default().with(SimulatorKind::NetsUnion, config)
}

/// Events of the order's history, in order.
async fn history(set: &TestStage, order: &str) -> anyhow::Result<Vec<String>> {
    let sql = format!(
        "SELECT event FROM {}.order_transition WHERE order_id='{order}' ORDER BY version",
        set.stage.schemas.orders
    );
    Ok(set.stage.pool.get_conn().await?.query(sql).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manual_order_is_asked_for_until_a_clear_answer_ends_it() -> anyhow::Result<()> {
    let set = TestStage::up(StageOptions {
        sims: slow_channel(9_000),
        ..with(
            "recovery.pending_case_after_ms = 1000\nrecovery.query_max_delay_ms = 400\n\
             recovery.manual_query_max_delay_ms = 600",
        )
    })
    .await?;
    Traffic::new("manual", 2).fund(&set.stage, 1_000).await?;
    let order = submit(&set, "A00001", "slow.payee").await?;
    wait_for(&set, &order, "state", "manual").await?;
    wait_for_case(&set, &order, "exhausted open").await?;
    // No callback comes, and nobody touches it.
    set.stage.wait_for_status(&order, "success").await?;
    wait_for_case(&set, &order, "exhausted closed").await?;
    let told = history(&set, &order).await?;
    let manual = told.iter().position(|e| e == "exhausted");
    let asked = manual.map_or(0, |at| told[at..].iter().filter(|e| *e == "query").count());
    ensure!(
        asked > 1,
        "asked {asked} times as a person's case: {told:?}"
    );
    set.all_is_well().await
}

#[tokio::test(flavor = "multi_thread")]
async fn however_often_it_is_asked_for_a_pending_order_is_no_case() -> anyhow::Result<()> {
    let set = TestStage::up(StageOptions {
        sims: slow_channel(20_000),
        each_channel: "deadline_ms = 200\nquiet_ms = 1500".into(),
        ..with("recovery.query_max_delay_ms = 200\nrecovery.silence_case_after_ms = 8000")
    })
    .await?;
    Traffic::new("pending", 2).fund(&set.stage, 1_000).await?;
    let order = submit(&set, "A00001", "slow.payee").await?;
    set.stage.wait_for_status(&order, "success").await?;
    let told = history(&set, &order).await?;
    let asked: i64 = column(&set, &order, "queries").await?.parse()?;
    // Twenty were the bound once. Silence began anew with each "in process".
    ensure!(asked > 20, "asked only {asked} times");
    ensure!(!told.iter().any(|e| e == "exhausted"), "{told:?}");
    set.all_is_well().await
}
