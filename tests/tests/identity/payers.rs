//! A refund goes back to who paid.

use crate::identity::restart_core;
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sluice_contract::clock::now_us;
use sluice_contract::event::{BusinessEvent, PAYMENT_SUCCEEDED};
use sluice_contract::order::OrderKind;
use sluice_drill::stage::StageOptions;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

/// A payment of 100.00 to the merchant, captured.
async fn pay(set: &TestStage, payment: &str, payer: Option<&str>) -> anyhow::Result<()> {
    let event = BusinessEvent {
        id: format!("paid-{payment}"),
        kind: PAYMENT_SUCCEEDED.into(),
        account_id: "M".into(),
        biz_no: payment.into(),
        amount: Decimal::from(100),
        currency: "CNY".into(),
        occurred_us: now_us(),
        payer_account_id: payer.map(str::to_owned),
        client: None,
    };
    set.stage.events.send(&event).await?;
    let begun = Instant::now();
    let url = set
        .stage
        .split_books
        .as_ref()
        .map_or(set.stage.url.clone(), |books| books.balance.url());
    let mut conn = sluice_contract::sql::connect(&url).await?;
    let sql = format!(
        "SELECT payer FROM {}.capture WHERE payment_no=?",
        set.stage.schemas.balance
    );
    loop {
        let stored: Option<Option<String>> = conn.exec_first(&sql, (payment,)).await?;
        if let Some(stored) = stored {
            ensure!(stored.as_deref() == payer, "{payment}: {stored:?}");
            return Ok(());
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(40),
            "{payment} was not captured"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn refund(
    set: &TestStage,
    key: &str,
    payment: &str,
    to: &str,
) -> anyhow::Result<(u16, Value)> {
    let body =
        json!({ "accountId": "M", "paymentNo": payment, "toAccountId": to, "amount": "30.00" });
    set.stage
        .client
        .post("/refund", &body, &[("idempotent-key", key)])
        .await
}

async fn only_the_payer_gets_it_back(set: &TestStage) -> anyhow::Result<()> {
    pay(set, "P-1", Some("wallet-1")).await?;
    pay(set, "P-2", None).await?;
    let (status, answer) = refund(set, "k1", "P-1", "mule-1").await?;
    let msg = answer["msg"].as_str().unwrap_or_default();
    ensure!(
        status == 422 && answer["code"] == 42206 && msg.contains("toAccountId"),
        "{answer}"
    );
    let (status, answer) = refund(set, "k2", "P-2", "anybody").await?;
    let msg = answer["msg"].as_str().unwrap_or_default();
    ensure!(
        status == 422 && answer["code"] == 42206 && msg.contains("refund_unknown_payer"),
        "{answer}"
    );
    let (status, answer) = refund(set, "k1", "P-1", "wallet-1").await?;
    ensure!(status == 202, "a refusal burns no key: {answer}");
    let order = answer["data"]["refundOrderId"].as_str().unwrap_or_default();
    set.stage
        .wait_for_status_of(OrderKind::Refund, order, "success")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_goes_back_to_who_paid() -> anyhow::Result<()> {
    let mut set = TestStage::up(options()).await?;
    only_the_payer_gets_it_back(&set).await?;
    set.all_is_well().await?;
    // Who must refund payments from before says so.
    let path = set.stage.dir.join("core.toml");
    let settings = std::fs::read_to_string(&path)?;
    std::fs::write(
        &path,
        format!("accept.refund_unknown_payer = true\n{settings}"),
    )?;
    restart_core(&mut set).await?;
    let (status, answer) = refund(&set, "k3", "P-2", "anybody").await?;
    ensure!(status == 202, "{answer}");
    let (status, answer) = refund(&set, "k4", "P-1", "mule-1").await?;
    ensure!(status == 422, "{answer}");
    // A payer that was changed by hand is found by its signature, and stops the merchant.
    let payer = format!(
        "UPDATE {}.capture SET payer='mule-1',version=version+1 WHERE payment_no='P-1'",
        set.stage.schemas.balance
    );
    set.stage.pool.get_conn().await?.query_drop(payer).await?;
    set.everything_is_evaluated().await?;
    let found = set.verdicts().await?;
    ensure!(
        found.iter().any(|v| v.starts_with("provenance M")),
        "{found:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_split_books_too() -> anyhow::Result<()> {
    let set = TestStage::up(StageOptions {
        split_books: true,
        ..options()
    })
    .await?;
    only_the_payer_gets_it_back(&set).await?;
    set.all_is_well().await
}
