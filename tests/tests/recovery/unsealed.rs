//! A roll-out of seals that the settings don't announce is a refused start, not a case of
//! each order.

use crate::recovery::{cases, submit};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_drill::channels::SimulatorKind;
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};

#[tokio::test(flavor = "multi_thread")]
async fn orders_from_before_the_seals_stop_the_start_until_the_settings_name_them()
-> anyhow::Result<()> {
    let mut set = TestStage::prepare(StageOptions {
        fence: false,
        dispatch: false,
        ..options()
    })
    .await?;
    set.stage.start_core().await?;
    Traffic::new("before", 20).fund(&set.stage, 1_000).await?;
    let mut waiting = Vec::new();
    for n in 0..4 {
        waiting.push(submit(&set, "before", n, SimulatorKind::UnionPay).await?);
    }
    let mut core = set.stage.core.take().context("the stage has a core")?;
    core.kill9()?;
    let orders = set.stage.schemas.orders.clone();
    let mut conn = set.stage.pool.get_conn().await?;
    set.stage.options.dispatch = true;
    // From before there were seals, and from when they named no phase: what waits has none.
    for lacking in ["send_mac=NULL", "request_mac=NULL"] {
        conn.query_drop(format!("UPDATE {orders}.orders SET {lacking}"))
            .await?;
        ensure!(
            set.stage.start_core().await.is_err(),
            "it started, and each order would be a case"
        );
        let log = std::fs::read_to_string(set.stage.dir.join("core.log"))?;
        ensure!(
            log.contains("4 of 4 orders in flight") && log.contains("accept.unsealed_until"),
            "{}",
            sluice_tests::tail(&set.stage.dir.join("core.log"))
        );
    }
    for order in &waiting {
        let found = cases(&set, order).await?;
        ensure!(found.is_empty(), "{order}: {found:?}");
    }

    set.stage.options.core_extra += "\naccept.unsealed_until = \"2099-01-01T00:00:00Z\"";
    set.stage.start_core().await?;
    for order in &waiting {
        set.stage.wait_for_status(order, "success").await?;
    }
    Ok(())
}
