//! Every kind of loss is found, and nothing leaves.

use anyhow::ensure;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_drill::faults::{FaultKind, injection};
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_loss_is_found_and_nothing_leaves() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    for kind in FaultKind::ALL {
        let account = injection::account_of(kind);
        injection::fund(&set.stage, &account, Decimal::from(10_000)).await?;
        let made = injection::make(&set.stage, kind).await?;
        let seen = injection::watch(&set.stage, &made).await?;
        ensure!(seen.detected && seen.leaked.is_zero(), "{seen:?}");
        ensure!(
            seen.breaker == format!("cash_out/account/{account}"),
            "{seen:?}"
        );
        injection::clean_up(&set.stage, &made).await?;
    }
    ensure!(
        set.stage.drain(0, Duration::from_secs(30)).await? == 0,
        "an order has not ended"
    );
    let expected: Vec<String> = FaultKind::ALL.map(injection::account_of).to_vec();
    let counts =
        sluice_drill::checks::counts(&set.stage.pool, &set.stage.schemas, &expected).await?;
    ensure!(counts.false_positives == 0, "{:?}", set.verdicts().await?);
    let held = set.stage.invariants().await?;
    ensure!(held.all_hold(), "{:?}", held.problems);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_thousands_by_hand_stops_everybody() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("mass", 4_000).fund(&set.stage, 100).await?;
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!(
        "UPDATE {}.balance SET balance=balance+1,available=available+1",
        set.stage.schemas.balance
    );
    conn.query_drop(sql).await?;
    let open = format!(
        "SELECT CONCAT(scope,'/',scope_key) FROM {}.breaker WHERE state='open'",
        set.stage.schemas.guard
    );
    let begun = Instant::now();
    loop {
        let open: Vec<String> = conn.query(&open).await?;
        if open.contains(&"all/*".to_owned()) {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "open: {} breakers; {:?}",
            open.len(),
            set.verdicts().await?.last()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
