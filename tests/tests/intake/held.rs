//! A merchant whose balance somebody keeps locked holds back its own partition alone.

use crate::intake::books;
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_drill::stage::merchants::MerchantTraffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

const MERCHANTS: u64 = 16;
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_merchant_holds_back_its_own_partition_alone() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    let traffic = MerchantTraffic::new("held", MERCHANTS);
    traffic.pay(&set.stage, MERCHANTS).await?;
    let locked = traffic.account(0);
    let mut locker = set.stage.pool.get_conn().await?;
    let balance = &set.stage.schemas.balance;
    locker.query_drop("BEGIN").await?;
    let lock = format!("SELECT * FROM {balance}.balance WHERE account_id='{locked}' FOR UPDATE");
    locker.query_drop(lock).await?;

    let more = |n: u64| traffic.event(MERCHANTS + n);
    set.stage.events.queue(&more(0)).await?;
    let begun = Instant::now();
    let held = "sluice_core_intake_held_partitions";
    while set.stage.core_metric(held).await? != 1 {
        // A transaction that does nothing is ended by the server.
        locker.query_drop("SELECT 1").await?;
        ensure!(begun.elapsed() < WAIT_TIMEOUT, "nothing is held back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for n in 1..MERCHANTS {
        set.stage.events.queue(&more(n)).await?;
    }
    let (once, twice) = (more(0).amount, more(0).amount * Decimal::TWO);
    let captured = async || -> anyhow::Result<u64> {
        let mut done = 0;
        for n in 1..MERCHANTS {
            let (captured, _) = books(&set, &traffic.account(n)).await?;
            done += u64::from(captured == twice);
        }
        Ok(done)
    };
    let begun = Instant::now();
    while captured().await? == 0 {
        locker.query_drop("SELECT 1").await?;
        ensure!(begun.elapsed() < WAIT_TIMEOUT, "nobody else's is captured");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ensure!(books(&set, &locked).await?.0 == once, "the lock was lost");
    ensure!(set.stage.core_metric(held).await? == 1);

    locker.query_drop("ROLLBACK").await?;
    traffic.wait_for(&set.stage, 2 * MERCHANTS).await?;
    ensure!(captured().await? == MERCHANTS - 1);
    ensure!(books(&set, &locked).await? == (twice, twice));
    let begun = Instant::now();
    while set.stage.core_metric(held).await? != 0 {
        ensure!(begun.elapsed() < WAIT_TIMEOUT, "held back for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let held = set.stage.invariants().await?;
    ensure!(held.all_hold(), "{:?}", held.problems);
    Ok(())
}
