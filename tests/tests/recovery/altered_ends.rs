//! Ended orders that somebody altered, more than quarantine remembers, keep nobody else's
//! end from being told.

use crate::recovery::{WAIT_TIMEOUT, submit};
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use sluice_drill::channels::SimulatorKind;
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::Instant;

/// More than one round tells of, and more than quarantine holds.
const ALTERED_ENDS: usize = 1_300;

#[tokio::test(flavor = "multi_thread")]
async fn ends_that_can_not_be_told_do_not_hide_one_that_can() -> anyhow::Result<()> {
    let plain = options();
    let policy = "[acknowledgement]\nclients = [\"local\"]\ninitial_delay_ms = 300";
    // Without a sidecar: it would stop everybody over rows that no core has signed.
    let mut set = TestStage::prepare(StageOptions {
        fence: false,
        core_extra: format!("{}\n{policy}", plain.core_extra),
        ..plain
    })
    .await?;
    set.stage.start_core().await?;
    Traffic::new("ends", 20).fund(&set.stage, 1_000).await?;
    let rows: Vec<String> = (0..ALTERED_ENDS)
        .map(|n| {
            format!("('0{n:05}','{n:032x}','local','p',1,'CNY','success','{n:032x}',1,4,1,1,1)")
        })
        .collect();
    let orders = set.stage.schemas.orders.clone();
    let mut conn = set.stage.pool.get_conn().await?;
    conn.query_drop(format!(
        "INSERT INTO {orders}.orders (account_id,order_id,client,to_account,amount,currency,state,serial_no,attempts,\
         version,due_us,created_us,updated_us) VALUES {}",
        rows.join(",")
    ))
    .await?;
    let honest = submit(&set, "honest", 1, SimulatorKind::NetsUnion).await?;
    set.stage.wait_for_status(&honest, "success").await?;
    let begun = Instant::now();
    let told = format!("SELECT notify_count FROM {orders}.orders WHERE order_id='{honest}'");
    while conn.query_first::<i64, _>(&told).await?.unwrap_or_default() == 0 {
        ensure!(
            begun.elapsed() < WAIT_TIMEOUT,
            "behind {ALTERED_ENDS} altered ends, it is never told again"
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Ok(())
}
