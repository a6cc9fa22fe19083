//! Stages have bounds that nobody can touch: of the time in `init`, and of settlements.

use crate::late::{by_hand, column, submit, wait_for, wait_for_case, with};
use anyhow::{Context, ensure};
use serde_json::json;
use sluice_contract::clock::now_us;
use sluice_contract::event::{BusinessEvent, PAYMENT_SUCCEEDED};
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::TestStage;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_told_again_has_waited_all_the_same() -> anyhow::Result<()> {
    let mut set = TestStage::up(with("recovery.unsent_case_after_ms = 3000")).await?;
    Traffic::new("touched", 2).fund(&set.stage, 1_000).await?;
    let sidecar = set
        .stage
        .sidecar
        .as_mut()
        .context("the stage has a sidecar")?;
    sidecar.kill9()?;
    let order = submit(&set, "A00001", "touched.payee").await?;
    // Touched more often than the bound is long, until the case is there.
    let (begun, mut touched) = (Instant::now(), 0);
    while crate::late::cases(&set, &order).await?.is_empty() {
        ensure!(begun.elapsed() < Duration::from_secs(40), "never a case");
        let path = format!("/withdraw/{order}/renotify");
        let (status, _) = set.stage.client.post(&path, &json!({}), &[]).await?;
        touched += u32::from(status == 202);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    ensure!(touched > 1, "it was hardly touched: {touched}");
    wait_for_case(&set, &order, "not_sent open").await?;
    let sidecar = set
        .stage
        .sidecar
        .as_mut()
        .context("the stage has a sidecar")?;
    sidecar.restart()?;
    set.stage.wait_for_status(&order, "success").await?;
    set.all_is_well().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_that_cannot_be_booked_is_a_case_and_goes_on_once_it_can() -> anyhow::Result<()>
{
    // Without a sidecar: it would find the hand.
    let mut set = TestStage::prepare(StageOptions {
        fence: false,
        dispatch: false,
        ..with(
            "recovery.silence_case_after_ms = 1500\nrecovery.query_max_delay_ms = 300\n\
             recovery.manual_query_max_delay_ms = 500",
        )
    })
    .await?;
    set.stage.start_core().await?;
    let order = settlement(&set).await?;
    let balances = format!("{}.balance", set.stage.schemas.balance);
    let books = "intermediate_reserved";
    let take =
        |sign: &str| format!("UPDATE {balances} SET {books}={books}{sign}1 WHERE account_id='M'");
    by_hand(&set, &take("-")).await?;
    let mut core = set.stage.core.take().context("the stage has a core")?;
    core.kill9()?;
    drop(core);
    set.stage.options.dispatch = true;
    set.stage.start_core().await?;
    wait_for(&set, &order, "state", "manual").await?;
    wait_for_case(&set, &order, "exhausted open").await?;
    by_hand(&set, &take("+")).await?;
    wait_for(&set, &order, "state", "success").await?;
    wait_for_case(&set, &order, "exhausted closed").await?;
    ensure!(column(&set, &order, "channel").await? == "internal");
    Ok(())
}

/// A settlement of a captured payment of merchant M.
async fn settlement(set: &TestStage) -> anyhow::Result<String> {
    let event = BusinessEvent {
        id: "pay-1".into(),
        kind: PAYMENT_SUCCEEDED.into(),
        account_id: "M".into(),
        biz_no: "P-1".into(),
        amount: "100".parse()?,
        currency: "CNY".into(),
        occurred_us: now_us(),
        payer_account_id: Some("payer".to_owned()),
        client: None,
    };
    set.stage.events.send(&event).await?;
    let begun = Instant::now();
    loop {
        let body = json!({ "accountId": "M", "amount": "40.00" });
        let key = [("idempotent-key", "settle-1")];
        let (status, answer) = set.stage.client.post("/settlement", &body, &key).await?;
        if status == 202 {
            let id = answer["data"]["settlementOrderId"].as_str();
            return Ok(id.context("an order's id")?.to_owned());
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(40),
            "the payment was not captured: {answer}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
