//! Signatures of producers: where they are demanded, whoever can write to the topic can't
//! make money.

use crate::intake::books;
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::event::{BusinessEvent, PAYMENT_SUCCEEDED, PRODUCER_SECRET};
use sluice_contract::settings::Secret;
use sluice_drill::setup::secrets::{create_named, random_hex};
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

const DEMANDED: &str = "\n[kafka.security]\nsigned_events = true\n";

fn payment(number: &str) -> BusinessEvent {
    BusinessEvent {
        id: number.to_owned(),
        kind: PAYMENT_SUCCEEDED.to_owned(),
        account_id: "M".to_owned(),
        biz_no: number.to_owned(),
        amount: Decimal::TEN,
        currency: "CNY".to_owned(),
        occurred_us: now_us(),
        payer_account_id: Some("payer".to_owned()),
        client: None,
    }
}

/// Waits until that much is captured; `again` is done while it isn't.
async fn until_captured(
    set: &TestStage,
    amount: i64,
    again: impl AsyncFn() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        again().await?;
        let (captured, _) = books(set, "M").await?;
        if captured == Decimal::from(amount) {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(30),
            "{captured} is captured, not {amount}"
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// Reasons of the sidecar's dead letters.
async fn dead_letters(set: &TestStage) -> anyhow::Result<Vec<String>> {
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!(
        "SELECT DISTINCT reason FROM {}.dead_letter",
        set.stage.schemas.guard
    );
    Ok(conn.query(sql).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_counts_only_with_a_producers_signature() -> anyhow::Result<()> {
    let mut demanding = options();
    demanding.core_extra += DEMANDED;
    demanding.sidecar_extra += DEMANDED;
    let mut set = TestStage::prepare(demanding).await?;
    let secrets = create_named(&set.stage.dir, &[PRODUCER_SECRET])?;
    set.stage.start_core().await?;
    set.stage.start_sidecar().await?;
    set.stage.wait_for_fence().await?;
    let (events, key) = (
        set.stage.events.clone(),
        Secret::load(PRODUCER_SECRET, Some(&secrets))?,
    );

    events.send(&payment("unsigned")).await?;
    let stranger = Secret::new(&random_hex());
    events.send_signed(&payment("stranger"), &stranger).await?;
    events.send_signed(&payment("signed"), &key).await?;
    until_captured(&set, 10, async || Ok(())).await?;
    let begun = Instant::now();
    while dead_letters(&set).await? != ["unsigned"] {
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "dead letters: {:?}",
            dead_letters(&set).await?
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    // A second key counts as soon as the files say so; the first one still does.
    std::fs::write(
        secrets.join(format!("{PRODUCER_SECRET}_next")),
        random_hex(),
    )?;
    let next = Secret::load(&format!("{PRODUCER_SECRET}_next"), Some(&secrets))?;
    until_captured(&set, 20, async || {
        events.send_signed(&payment("rolled"), &next).await?;
        Ok(())
    })
    .await?;
    events.send_signed(&payment("former"), &key).await?;
    until_captured(&set, 30, async || Ok(())).await
}
