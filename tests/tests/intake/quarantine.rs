//! Payments that this build can't book are set aside, and booked by one that can.

use crate::intake::books;
use crate::recovery::WAIT_TIMEOUT;
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::event::{BUSINESS_TOPICS, BusinessEvent, PAYMENT_SUCCEEDED, sign_event};
use sluice_contract::settings::Secret;
use sluice_drill::setup::process::binary;
use sluice_drill::stage::StageOptions;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

fn payment(account: &str, currency: &str) -> BusinessEvent {
    BusinessEvent {
        id: format!("{account}-1"),
        kind: PAYMENT_SUCCEEDED.to_owned(),
        account_id: account.to_owned(),
        biz_no: format!("{account}-1"),
        client: None,
        amount: Decimal::TEN,
        currency: currency.to_owned(),
        occurred_us: now_us(),
        payer_account_id: Some("payer".to_owned()),
    }
}

/// Writes a payment as an older build would have set it aside that did not know its
/// currency; `key` is that build's provenance key.
async fn quarantined(set: &TestStage, event: &BusinessEvent, key: &Secret) -> anyhow::Result<()> {
    let payload = serde_json::to_vec(event)?;
    let topic = BUSINESS_TOPICS[0];
    let told_us = now_us();
    let mac = sign_event(key, &format!("quarantine/{topic}/0/{told_us}"), &payload);
    let sql = format!(
        "INSERT INTO {}.quarantined_payment VALUES (SHA2(CONCAT(CHAR(0),?),256),?,0,7,'currency is unknown',?,0,?,?,?)",
        set.stage.schemas.orders
    );
    let row = (&payload, topic, &payload, told_us, told_us, mac);
    Ok(set.stage.pool.get_conn().await?.exec_drop(sql, row).await?)
}

/// Accounts of the payments that are set aside.
async fn waiting(set: &TestStage) -> anyhow::Result<Vec<String>> {
    let sql = format!(
        "SELECT payload FROM {}.quarantined_payment",
        set.stage.schemas.orders
    );
    let rows: Vec<Vec<u8>> = set.stage.pool.get_conn().await?.query(sql).await?;
    let mut accounts = rows
        .iter()
        .map(|payload| {
            let event = BusinessEvent::read(payload).map_err(anyhow::Error::msg)?;
            Ok(event.account_id)
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    accounts.sort();
    Ok(accounts)
}

async fn until_waiting(set: &TestStage, accounts: &[&str]) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let found = waiting(set).await?;
        if found == accounts {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < WAIT_TIMEOUT,
            "{found:?} are set aside, not {accounts:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_in_a_currency_of_a_later_build_is_not_lost() -> anyhow::Result<()> {
    // Without a sidecar: it would find the hand that writes the rows.
    let mut set = TestStage::prepare(StageOptions {
        fence: false,
        ..options()
    })
    .await?;
    set.stage.start_core().await?;
    // Told twice: one payment. The next one of its partition is booked.
    let unknown = payment("LATER", "XXX");
    for _ in 0..2 {
        set.stage.events.send(&unknown).await?;
    }
    let mut known = payment("LATER", "CNY");
    known.biz_no = "LATER-2".to_owned();
    set.stage.events.send(&known).await?;
    until_waiting(&set, &["LATER"]).await?;
    let begun = Instant::now();
    while books(&set, "LATER").await?.0 != Decimal::TEN {
        ensure!(begun.elapsed() < WAIT_TIMEOUT, "the next one is not booked");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    it_is_listed(&set).await?;

    // This build is the later one of these: it books what a core has set aside, and nothing
    // that somebody else wrote there.
    let mut core = set.stage.core.take().context("the stage has a core")?;
    core.terminate(Duration::from_secs(30)).await?;
    quarantined(&set, &payment("EARLIER", "CNY"), &set.stage.key).await?;
    let thief = Secret::new("a key of somebody else");
    quarantined(&set, &payment("FORGED", "CNY"), &thief).await?;
    set.stage.start_core().await?;
    until_waiting(&set, &["FORGED", "LATER"]).await?;
    ensure!(books(&set, "EARLIER").await? == (Decimal::TEN, Decimal::TEN));
    ensure!(books(&set, "FORGED").await?.0 == Decimal::ZERO);
    let gauge = set.stage.core_metric("sluice_core_quarantined_payments");
    ensure!(gauge.await? == 2);
    // Told again by its sender, it is the payment that was booked.
    set.stage.events.send(&payment("EARLIER", "CNY")).await?;
    let begun = Instant::now();
    let repeated = "sluice_core_intake_events_total{result=\"repeated\"}";
    while set.stage.core_metric(repeated).await? == 0 {
        ensure!(begun.elapsed() < WAIT_TIMEOUT, "not taken as a repeat");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ensure!(books(&set, "EARLIER").await?.0 == Decimal::TEN);
    Ok(())
}

async fn it_is_listed(set: &TestStage) -> anyhow::Result<()> {
    let ran = tokio::process::Command::new(binary("sluice")?)
        .args(["events", "payments", "--mysql", &set.stage.url])
        .args(["--database", &set.stage.options.database])
        .output()
        .await?;
    let text = String::from_utf8_lossy(&ran.stdout);
    ensure!(
        text.contains("LATER") && text.contains("currency") && text.contains("1 payment(s)"),
        "{text}"
    );
    Ok(())
}
