//! An order that can't be read stops no other.

use crate::recovery::{WAIT_TIMEOUT, submit, wait_for_case};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_drill::channels::{ActionScript, ScriptedAction, SimulatorKind};
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_nobody_can_read_stops_no_other() -> anyhow::Result<()> {
    // Without a sidecar: it would find the hand that spoils the rows.
    let mut set = TestStage::prepare(StageOptions {
        fence: false,
        dispatch: false,
        ..options()
    })
    .await?;
    set.stage.start_core().await?;
    Traffic::new("poison", 20).fund(&set.stage, 1_000).await?;
    let silent = ScriptedAction::TimeoutAfterPaying { hold_ms: 1_400 };
    set.stage
        .sims
        .add_script(SimulatorKind::NetsUnion, ActionScript::new("doubt", silent))?;
    let (mut waiting, mut doubtful) = (Vec::new(), Vec::new());
    for n in 0..6 {
        waiting.push(submit(&set, "wait", n, SimulatorKind::UnionPay).await?);
        doubtful.push(submit(&set, "doubt", n, SimulatorKind::NetsUnion).await?);
    }
    let spoil = async |order: &str| -> anyhow::Result<()> {
        let sql = format!(
            "UPDATE {}.orders SET currency='?' WHERE order_id='{order}'",
            set.stage.schemas.orders
        );
        Ok(set.stage.pool.get_conn().await?.query_drop(sql).await?)
    };
    spoil(&waiting[3]).await?;
    let mut core = set.stage.core.take().context("the stage has a core")?;
    core.kill9()?;
    drop(core);
    set.stage.options.dispatch = true;
    set.stage.start_core().await?;
    // In doubt and spoilt before it is asked for.
    let spoilt = doubtful[2].clone();
    let begun = Instant::now();
    while set.stage.client.order(&spoilt).await?["tradeTime"].is_null() {
        ensure!(begun.elapsed() < WAIT_TIMEOUT, "never sent");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let sql = format!(
        "UPDATE {}.orders SET currency='?' WHERE order_id='{spoilt}'",
        set.stage.schemas.orders
    );
    set.stage.pool.get_conn().await?.query_drop(sql).await?;
    for order in waiting
        .iter()
        .chain(&doubtful)
        .filter(|o| **o != waiting[3] && **o != spoilt)
    {
        set.stage.wait_for_status(order, "success").await?;
    }
    wait_for_case(&set, &waiting[3], "unreadable open -").await?;
    wait_for_case(&set, &spoilt, "unreadable open -").await
}
