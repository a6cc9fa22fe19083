//! Amounts of a call and of an hour: they hold over two cores, kills and repeats.

use crate::access::{Answer, Upstream, available, client, stage, start};
use anyhow::ensure;
use futures_util::future::join_all;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sluice_contract::clock::now_us;
use sluice_drill::stage::StagePorts;
use std::time::Duration;

/// An hour has at least this long to go when a test begins.
const MIN_HOUR_LEFT_US: i64 = 180_000_000;

fn settings() -> String {
    let amounts = "amounts = [{ currency = \"CNY\", per_call = \"10.00\", per_hour = \"100.00\" }]";
    client("bank", "may = [\"deposit\"]\naccounts = [\"*\"]")
        + &client("shop", &format!("accounts = [\"A-1\"]\n{amounts}"))
}

pub(super) async fn within_an_hour() {
    let left = 3_600_000_000 - now_us().rem_euclid(3_600_000_000);
    if left < MIN_HOUR_LEFT_US {
        tokio::time::sleep(Duration::from_micros(left.unsigned_abs() + 1_000_000)).await;
    }
}

fn order(amount: &str) -> Value {
    json!({ "fromAccountId": "A-1", "toAccountId": "payee", "amount": amount })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hours_amount_holds_over_two_cores_kills_and_repeats() -> anyhow::Result<()> {
    within_an_hour().await;
    let mut set = stage(&settings()).await?;
    start(&mut set, &["bank", "shop"]).await?;
    let bank = Upstream::of(&set, "bank")?;
    bank.deposit("A-1", "1000.00", "fund").await?.is(202, 0)?;
    let shop = Upstream::of(&set, "shop")?;
    shop.withdraw("big", &order("10.01"))
        .await?
        .is(403, 40300)?;
    let dollars =
        json!({ "fromAccountId": "A-1", "toAccountId": "p", "amount": "1", "currency": "USD" });
    shop.withdraw("usd", &dollars).await?.is(403, 40300)?;
    let first = repeats_cost_nothing(&shop).await?;
    let ports = StagePorts::free()?;
    let mut second = set.stage.spawn_core("core-2", ports).await?;
    let there = shop.at(&ports.url(ports.core));
    let many = (0..60).map(|n| {
        let by = if n % 2 == 0 {
            shop.clone()
        } else {
            there.clone()
        };
        async move { by.withdraw(&format!("k-{n}"), &order("1.00")).await }
    });
    for answer in join_all(many).await {
        answer?.is(202, 0)?;
    }
    // A core dies with the share that it holds, and comes back.
    if let Some(mut core) = set.stage.core.take() {
        core.kill9()?;
    }
    set.stage.start_core().await?;
    let mut refused = 0;
    for n in 0..60 {
        let by = if n % 2 == 0 { &shop } else { &there };
        let answer = by.withdraw(&format!("m-{n}"), &order("1.00")).await?;
        ensure!(
            [202, 429].contains(&answer.status),
            "{} {}",
            answer.status,
            answer.body
        );
        refused += i32::from(answer.status == 429);
    }
    let moved = Decimal::from(1_000) - available(&set, "A-1").await?.parse::<Decimal>()?;
    ensure!(
        refused >= 25 && moved <= Decimal::from(100),
        "{refused} refused, {moved} moved"
    );
    // Repeats are answered although nothing is left.
    let again = shop.withdraw("first", &order("5.00")).await?;
    ensure!(
        again.replayed && again.body["data"] == first.body["data"],
        "{}",
        again.body
    );
    second.terminate(Duration::from_secs(15)).await?;
    Ok(())
}

/// Repeats and refusals of one request; returns its first answer.
async fn repeats_cost_nothing(shop: &Upstream) -> anyhow::Result<Answer> {
    let first = shop.withdraw("first", &order("5.00")).await?;
    first.is(202, 0)?;
    for _ in 0..30 {
        ensure!(
            shop.withdraw("first", &order("5.00")).await?.replayed,
            "no repeat"
        );
        shop.withdraw("first", &order("6.00"))
            .await?
            .is(422, 42200)?;
    }
    Ok(first)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_core_gives_its_share_back() -> anyhow::Result<()> {
    within_an_hour().await;
    let mut set = stage(&settings()).await?;
    start(&mut set, &["bank", "shop"]).await?;
    let bank = Upstream::of(&set, "bank")?;
    bank.deposit("A-1", "1000.00", "fund").await?.is(202, 0)?;
    let ports = StagePorts::free()?;
    let mut second = set.stage.spawn_core("core-2", ports).await?;
    let shop = Upstream::of(&set, "shop")?;
    let there = shop.at(&ports.url(ports.core));
    there.withdraw("there", &order("0.01")).await?.is(202, 0)?;
    // The rest, to the cent, through the other one.
    let mut left = Decimal::new(9_999, 2);
    let mut tries = 0;
    while left > Decimal::ZERO {
        tries += 1;
        ensure!(tries < 600, "{left} is never given back");
        let amount = left.min(Decimal::from(10));
        let answer = shop
            .withdraw(&format!("k-{tries}"), &order(&amount.to_string()))
            .await?;
        match answer.status {
            202 => left -= amount,
            429 => tokio::time::sleep(Duration::from_millis(100)).await,
            _ => anyhow::bail!("{} {}", answer.status, answer.body),
        }
    }
    shop.withdraw("more", &order("0.01"))
        .await?
        .is(429, 42901)?;
    ensure!(available(&set, "A-1").await? == "900.0000", "to the cent");
    second.terminate(Duration::from_secs(15)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_hang_up_use_up_no_more_than_is_booked() -> anyhow::Result<()> {
    within_an_hour().await;
    let mut set = stage(&settings()).await?;
    start(&mut set, &["bank", "shop"]).await?;
    let bank = Upstream::of(&set, "bank")?;
    bank.deposit("A-1", "1000.00", "fund").await?.is(202, 0)?;
    let shop = Upstream::of(&set, "shop")?;
    let mut held = set.stage.pool.get_conn().await?;
    held.query_drop("START TRANSACTION").await?;
    let lock = format!(
        "SELECT account_id FROM {}.balance WHERE account_id='A-1' FOR UPDATE",
        set.stage.schemas.balance
    );
    held.query_drop(lock).await?;
    // Each asks for 10 of the hour's 100, and is gone before the lock is.
    for n in 0..15 {
        let key = format!("gone-{n}");
        let ask = order("10.00");
        let asked = shop.withdraw(&key, &ask);
        let _ = tokio::time::timeout(Duration::from_millis(150), asked).await;
    }
    held.query_drop("ROLLBACK").await?;
    // What was booked in the end is booked; the rest of the hour is there.
    let mut tries = 0;
    loop {
        let left = available(&set, "A-1").await?.parse::<Decimal>()? - Decimal::from(900);
        if left.is_zero() {
            return Ok(());
        }
        tries += 1;
        ensure!(tries < 400, "{left} can't be had");
        let answer = shop
            .withdraw(&format!("k-{tries}"), &order("10.00"))
            .await?;
        ensure!(
            [202, 409, 429, 503].contains(&answer.status),
            "{}",
            answer.body
        );
        if answer.status != 202 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
