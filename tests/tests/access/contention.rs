//! Cores that are after one allowance at the same moment: each gets what is there, and a
//! lost race is no lack; a caller that hangs up uses nothing up.

use crate::access::{Upstream, client, stage, start};
use anyhow::ensure;
use futures_util::StreamExt;
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use sluice_drill::stage::StagePorts;
use sluice_tests::TestStage;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Of each core: more than the hour's limit, so that no core is left with a share.
const REQUESTS_PER_CORE: u64 = 310;
const IN_FLIGHT: usize = 40;
/// Connections that change the row all the time, as many other cores would.
const RIVALS: usize = 6;

/// A currency without decimals: shares are whole, and can be spent to the last.
fn settings(limit: &str) -> String {
    let amounts = format!("amounts = [{{ currency = \"JPY\", per_hour = \"{limit}\" }}]");
    client("bank", "may = [\"deposit\"]\naccounts = [\"*\"]")
        + &client("shop", &format!("accounts = [\"A-1\"]\n{amounts}"))
}

fn one_yen() -> Value {
    json!({ "fromAccountId": "A-1", "toAccountId": "payee", "amount": "1", "currency": "JPY" })
}

async fn funded(limit: &str) -> anyhow::Result<(TestStage, Upstream)> {
    super::amounts::within_an_hour().await;
    let mut set = stage(&settings(limit)).await?;
    start(&mut set, &["bank", "shop"]).await?;
    let bank = Upstream::of(&set, "bank")?;
    let fund =
        json!({ "accountId": "A-1", "amount": "1000", "currency": "JPY", "bizNo": "contention" });
    bank.post("/deposit", &fund).await?.is(202, 0)?;
    let shop = Upstream::of(&set, "shop")?;
    Ok((set, shop))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_cores_let_pass_at_once_is_exactly_the_limit() -> anyhow::Result<()> {
    let (set, shop) = funded("300").await?;
    let ports = StagePorts::free()?;
    let mut second = set.stage.spawn_core("core-2", ports).await?;
    let there = shop.at(&ports.url(ports.core));
    let requests = (0..REQUESTS_PER_CORE).flat_map(|n| [(n, &shop), (n + 1_000, &there)]);
    let answers: Vec<_> = futures_util::stream::iter(requests)
        .map(|(n, by)| async move { by.withdraw(&format!("k-{n}"), &one_yen()).await })
        .buffer_unordered(IN_FLIGHT)
        .collect()
        .await;
    let mut passed = 0;
    for answer in answers {
        let answer = answer?;
        ensure!(
            [202, 429].contains(&answer.status),
            "{} {}",
            answer.status,
            answer.body
        );
        passed += i32::from(answer.status == 202);
    }
    ensure!(passed == 300, "{passed} passed of 300");
    second.terminate(Duration::from_secs(15)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_race_for_a_share_is_not_told_as_a_lack() -> anyhow::Result<()> {
    let (set, shop) = funded("300").await?;
    // The row is there, and from now on it is another one at each look; half is always left.
    shop.withdraw("first", &one_yen()).await?.is(202, 0)?;
    let done = Arc::new(AtomicBool::new(false));
    let mut rivals = Vec::new();
    for _ in 0..RIVALS {
        let (pool, done) = (set.stage.pool.clone(), done.clone());
        let change = format!(
            "UPDATE {}.limit_client_hour SET taken=RAND()*150",
            set.stage.schemas.orders
        );
        rivals.push(tokio::spawn(async move {
            let mut conn = pool.get_conn().await?;
            while !done.load(Ordering::Relaxed) {
                conn.query_drop(&change).await?;
            }
            anyhow::Ok(())
        }));
    }
    let mut lacks = Vec::new();
    for n in 0..150 {
        let answer = shop.withdraw(&format!("k-{n}"), &one_yen()).await?;
        if answer.status != 202 {
            lacks.push(answer.body);
        }
    }
    done.store(true, Ordering::Relaxed);
    for rival in rivals {
        rival.await??;
    }
    ensure!(lacks.is_empty(), "there was room: {lacks:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_over_a_share_uses_nothing_of_the_hour_up() -> anyhow::Result<()> {
    let (set, shop) = funded("300").await?;
    // The core holds a part of the hour from here on, less than the next requests need.
    shop.withdraw("first", &one_yen()).await?.is(202, 0)?;
    let mut conn = set.stage.pool.get_conn().await?;
    let lock = format!(
        "SELECT taken FROM {}.limit_client_hour FOR UPDATE",
        set.stage.schemas.orders
    );
    conn.query_drop("BEGIN").await?;
    let taken: Vec<String> = conn.query(lock).await?;
    ensure!(taken.len() == 1, "{taken:?}");
    let mut fifty = one_yen();
    fifty["amount"] = json!("50");
    for n in 0..10 {
        let key = format!("gone-{n}");
        let asked = shop.withdraw(&key, &fifty);
        let hung_up = tokio::time::timeout(Duration::from_millis(100), asked).await;
        ensure!(hung_up.is_err(), "the row is locked");
    }
    // One waits until it is told no.
    shop.withdraw("patient", &fifty).await?.is(503, 50301)?;
    conn.query_drop("ROLLBACK").await?;
    let mut passed = 1;
    for n in 0..REQUESTS_PER_CORE {
        let answer = shop.withdraw(&format!("k-{n}"), &one_yen()).await?;
        ensure!(
            [202, 429].contains(&answer.status),
            "{} {}",
            answer.status,
            answer.body
        );
        passed += i32::from(answer.status == 202);
    }
    ensure!(passed == 300, "{passed} passed of 300");
    Ok(())
}
