//! A merchant whose balance somebody keeps locked holds back its own partition alone.

use crate::intake::books;
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_drill::stage::StagePorts;
use sluice_drill::stage::merchants::MerchantTraffic;
use sluice_tests::{TestStage, options, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// More payments of a partition than are read ahead of it: it is paused, shared out anew in
/// between, and goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_was_paused_goes_on_also_after_it_was_another_cores() -> anyhow::Result<()>
{
    const PAYMENTS: u64 = 600;
    let set = TestStage::up(options()).await?;
    let traffic = MerchantTraffic::new("paused", 1);
    traffic.pay(&set.stage, 1).await?;
    let account = traffic.account(0);
    let mut locker = set.stage.pool.get_conn().await?;
    let balance = &set.stage.schemas.balance;
    locker.query_drop("BEGIN").await?;
    let lock = format!("SELECT * FROM {balance}.balance WHERE account_id='{account}' FOR UPDATE");
    locker.query_drop(lock).await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let over = is_over.clone();
    let locked = tokio::spawn(async move {
        while !over.load(Ordering::Relaxed) {
            // A transaction that does nothing is ended by the server.
            locker.query_drop("SELECT 1").await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::Ok(locker.query_drop("ROLLBACK").await?)
    });
    for n in 1..=PAYMENTS {
        set.stage.events.queue(&traffic.event(n)).await?;
    }
    set.stage.events.flush(WAIT_TIMEOUT).await?;
    let held = "sluice_core_intake_held_partitions";
    until("the partition is held back", async || {
        Ok(set.stage.core_metric(held).await? == 1)
    })
    .await?;
    let mut second = set.stage.spawn_core("core-2", StagePorts::free()?).await?;
    second.terminate(Duration::from_secs(15)).await?;
    let amount = traffic.event(0).amount;
    ensure!(
        books(&set, &account).await?.0 == amount,
        "the lock was lost"
    );
    is_over.store(true, Ordering::Relaxed);
    locked.await??;
    traffic.wait_for(&set.stage, PAYMENTS + 1).await?;
    let all = amount * Decimal::from(PAYMENTS + 1);
    ensure!(books(&set, &account).await? == (all, all));
    until("no partition is held back", async || {
        Ok(set.stage.core_metric(held).await? == 0)
    })
    .await?;
    let checked = set.stage.invariants().await?;
    ensure!(checked.all_hold(), "{:?}", checked.problems);
    Ok(())
}
