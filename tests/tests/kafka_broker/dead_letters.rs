//! Transactions, foreign events and lost ones on a real broker.

use crate::kafka_broker::{WAIT_TIMEOUT, blind, evaluated, up};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rust_decimal::Decimal;
use sluice_contract::event::{BUSINESS_TOPICS, BusinessEvent, DEPOSIT_RECEIVED};
use sluice_drill::setup::KafkaBroker;
use sluice_tests::{TestStage, until};
use std::time::Duration;

fn deposit(n: u64) -> BusinessEvent {
    BusinessEvent {
        id: format!("d-{n}"),
        kind: DEPOSIT_RECEIVED.into(),
        account_id: format!("D{n:04}"),
        biz_no: format!("d-{n}"),
        amount: Decimal::ONE,
        currency: "CNY".into(),
        occurred_us: sluice_contract::clock::now_us(),
        payer_account_id: None,
        client: None,
    }
}

/// Sends one event in the open transaction.
fn in_transaction(producer: &BaseProducer, event: &BusinessEvent) -> anyhow::Result<()> {
    let body = serde_json::to_vec(event)?;
    producer
        .send(
            BaseRecord::to(event.topic())
                .key(&event.account_id)
                .payload(&body),
        )
        .map_err(|(e, _)| e)?;
    Ok(producer.flush(WAIT_TIMEOUT)?)
}

/// A message that is no event is written down by reason, once.
async fn dead_letters_move_with_the_offsets(set: &TestStage) -> anyhow::Result<()> {
    let bad = [&b"\xff not text"[..], br#"{"id":"f","type":"payment.succeeded","accountId":"a","bizNo":"b","amount":1.5,"currency":"CNY","occurredUs":1795288380000001}"#];
    for payload in bad {
        set.stage
            .events
            .send_raw(BUSINESS_TOPICS[0], "a", payload)
            .await?;
    }
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!(
        "SELECT reason, payload FROM {}.dead_letter ORDER BY offset_no",
        set.stage.schemas.guard
    );
    let mut rows: Vec<(String, Vec<u8>)> = Vec::new();
    until("both are set aside", async || {
        rows = conn.query(&sql).await?;
        Ok(rows.len() == 2)
    })
    .await?;
    let seen: Vec<_> = rows
        .iter()
        .map(|(reason, payload)| (reason.as_str(), payload.as_slice()))
        .collect();
    ensure!(
        seen == [("malformed", bad[0]), ("amount", bad[1])],
        "{rows:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_strangers_and_lost_events() -> anyhow::Result<()> {
    let (mut set, broker, _dir) = up().await?;
    transactions(&set, &broker).await?;
    a_stranger_is_named(&set, &broker).await?;
    dead_letters_move_with_the_offsets(&set).await?;
    // Retention takes events that were never read: blind, not a silent jump.
    let mut sidecar = set
        .stage
        .sidecar
        .take()
        .context("the stage has a sidecar")?;
    set.everything_is_evaluated().await?;
    sidecar.kill9()?;
    let mut last = (0, 0);
    for n in 10..14 {
        last = set
            .stage
            .events
            .send(&BusinessEvent {
                account_id: "a".into(),
                ..deposit(n)
            })
            .await?;
    }
    broker
        .delete_before(BUSINESS_TOPICS[0], last.0, last.1)
        .await?;
    sidecar.restart()?;
    until("the gap is told", async || {
        // It may not listen yet.
        Ok(blind(&set)
            .await
            .unwrap_or_default()
            .contains("kafka position"))
    })
    .await?;
    set.stage.sidecar = Some(sidecar);
    Ok(())
}

async fn transactions(set: &TestStage, broker: &KafkaBroker) -> anyhow::Result<()> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker.brokers())
        .set("transactional.id", "upstream")
        .create()?;
    producer.init_transactions(WAIT_TIMEOUT)?;
    // Committed: evaluated, and the mark behind it does not stall the fence.
    producer.begin_transaction()?;
    in_transaction(&producer, &deposit(0))?;
    producer.commit_transaction(WAIT_TIMEOUT)?;
    set.everything_is_evaluated().await?;
    ensure!(
        evaluated(set).await? == 1,
        "{} events",
        evaluated(set).await?
    );
    // Aborted: nobody said it, and the fence passes all the same.
    producer.begin_transaction()?;
    in_transaction(&producer, &deposit(1))?;
    producer.abort_transaction(WAIT_TIMEOUT)?;
    set.everything_is_evaluated().await?;
    ensure!(evaluated(set).await? == 1, "an aborted event was evaluated");
    // Open: what lies behind it was told already, so tokens wait for its end.
    producer.begin_transaction()?;
    in_transaction(&producer, &deposit(2))?;
    let waits = tokio::time::timeout(Duration::from_secs(1), set.everything_is_evaluated()).await;
    ensure!(waits.is_err(), "a token passed an open transaction");
    producer.commit_transaction(WAIT_TIMEOUT)?;
    set.everything_is_evaluated().await?;
    ensure!(
        evaluated(set).await? == 2 && blind(set).await?.is_empty(),
        "{}",
        blind(set).await?
    );
    Ok(())
}

async fn a_stranger_is_named(set: &TestStage, broker: &KafkaBroker) -> anyhow::Result<()> {
    // A stranger joins the group: said, and over when it leaves.
    let stranger: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.brokers())
        .set("group.id", "sluice-sidecar")
        .set("session.timeout.ms", "6000")
        .create()?;
    stranger.subscribe(&[BUSINESS_TOPICS[0]])?;
    until("the stranger is told", async || {
        let _ = stranger.poll(Duration::from_millis(20));
        Ok(blind(set)
            .await?
            .contains("another consumer has joined the group sluice-sidecar"))
    })
    .await?;
    stranger.unsubscribe();
    tokio::task::spawn_blocking(move || drop(stranger)).await?;
    until("the stranger is gone", async || {
        Ok(blind(set).await?.is_empty())
    })
    .await?;
    Ok(())
}
