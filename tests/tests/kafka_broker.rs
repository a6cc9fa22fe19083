//! Business events from a real Apache Kafka: it dies and comes back, grows
//! partitions, ends and aborts transactions, and takes old events away.

use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use rust_decimal::Decimal;
use sluice_contract::event::{BUSINESS_TOPICS, BusinessEvent, DEPOSIT_RECEIVED, ORDER_TOPIC};
use sluice_drill::setup::KafkaBroker;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// A stage on a real broker, in the stage's own directory.
async fn up() -> anyhow::Result<(TestStage, KafkaBroker, tempfile::TempDir)> {
    let dir = tempfile::tempdir()?;
    let broker = KafkaBroker::start(dir.path(), None).await?;
    for topic in BUSINESS_TOPICS.iter().chain([&ORDER_TOPIC]) {
        broker.create_topic(topic, 2).await?;
    }
    let set = TestStage::up(sluice_drill::stage::StageOptions {
        brokers: Some(broker.brokers()),
        ..options()
    })
    .await?;
    Ok((set, broker, dir))
}

async fn until(
    what: &str,
    mut done: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !done().await? {
        ensure!(
            begun.elapsed() < WAIT_TIMEOUT,
            "not within {WAIT_TIMEOUT:?}: {what}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Why the sidecar is blind, if it is.
async fn blind(set: &TestStage) -> anyhow::Result<String> {
    let blind = set.stage.client.sidecar_status().await?["data"]["blind"].clone();
    Ok(
        if blind.as_object().is_some_and(serde_json::Map::is_empty) {
            String::new()
        } else {
            blind.to_string()
        },
    )
}

async fn evaluated(set: &TestStage) -> anyhow::Result<u64> {
    set.stage
        .sidecar_metric("sluice_sidecar_events_total")
        .await
}

/// What the group was told, and what is committed with the verdicts.
async fn group_and_checkpoint(set: &TestStage) -> anyhow::Result<(Vec<i64>, Vec<i64>)> {
    let brokers = set.stage.brokers.clone();
    let told = tokio::task::spawn_blocking(move || -> anyhow::Result<Vec<i64>> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &brokers)
            .set("group.id", "sluice-sidecar")
            .create()?;
        let mut list = TopicPartitionList::new();
        for topic in BUSINESS_TOPICS {
            for partition in 0..2 {
                list.add_partition(topic, partition);
            }
        }
        let told = consumer.committed_offsets(list, Duration::from_secs(5))?;
        let offset = |offset| {
            if let Offset::Offset(offset) = offset {
                offset
            } else {
                0
            }
        };
        Ok(told
            .elements()
            .iter()
            .map(|element| offset(element.offset()))
            .collect())
    });
    // Asked first: the group may only be behind.
    let told = told.await??;
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!(
        "SELECT position FROM {}.checkpoint WHERE source='kafka'",
        set.stage.schemas.guard
    );
    let position: String = conn
        .query_first(sql)
        .await?
        .context("no checkpoint of kafka")?;
    let offsets = sluice_sidecar::stream::offsets::PartitionOffsets::parse(&position)?;
    let stored = BUSINESS_TOPICS
        .iter()
        .flat_map(|topic| (0..2).map(|p| offsets.next(topic, p).unwrap_or(0)));
    Ok((told, stored.collect()))
}

fn deposit(n: u64) -> BusinessEvent {
    BusinessEvent {
        id: format!("d-{n}"),
        kind: DEPOSIT_RECEIVED.into(),
        account_id: format!("D{n:04}"),
        biz_no: format!("d-{n}"),
        amount: Decimal::ONE,
        currency: "CNY".into(),
        occurred_us: sluice_contract::clock::now_us(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_killed_under_load_loses_and_doubles_nothing() -> anyhow::Result<()> {
    let (mut set, mut broker, _dir) = up().await?;
    let traffic = Traffic::new("killed", 40);
    traffic.fund(&set.stage, 10_000).await?;
    let (report, outage) = tokio::join!(
        traffic.open(&set.stage, 60, Duration::from_secs(7)),
        async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            broker.kill9()?;
            tokio::time::sleep(Duration::from_secs(1)).await;
            broker.restart().await?;
            // A partition more, in the middle of it: its first events are read too.
            broker.add_partitions(BUSINESS_TOPICS[1], 3).await
        }
    );
    outage?;
    ensure!(report?.succeeded() == 60 * 7, "accepting depends on Kafka");
    set.all_is_well().await?;
    let told = set.stage.events.flush(WAIT_TIMEOUT).await?;
    ensure!(
        evaluated(&set).await? == told,
        "{} of {told} events are evaluated",
        evaluated(&set).await?
    );

    // The sidecar dies without a word; more is told meanwhile, on the new partition too.
    let mut sidecar = set
        .stage
        .sidecar
        .take()
        .context("the stage has a sidecar")?;
    sidecar.kill9()?;
    let again = Traffic::new("after", 40);
    again.tell(&set.stage, 50).await?;
    sidecar.restart()?;
    let report = again.open(&set.stage, 20, Duration::from_secs(2)).await?;
    ensure!(report.succeeded() == 40, "{:?}", report.statuses);
    set.stage.sidecar = Some(sidecar);
    set.stage.wait_for_fence().await?;
    set.everything_is_evaluated().await?;
    let left = set.stage.drain(0, WAIT_TIMEOUT).await?;
    ensure!(left == 0, "{left} orders have not ended");
    // What was told and not asked for is the load's doing; everything else would be ours.
    let others: Vec<String> = set.verdicts().await?;
    ensure!(others.is_empty(), "{others:?}");
    until("the group was told", async || {
        let (told, stored) = group_and_checkpoint(&set).await?;
        ensure!(
            told.iter()
                .zip(&stored)
                .all(|(told, stored)| told <= stored),
            "{told:?} leads {stored:?}"
        );
        Ok(told == stored)
    })
    .await
}

/// Only a real broker knows when something was published.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_checkpoint_kafka_is_read_back_as_far_as_pairs_need() -> anyhow::Result<()> {
    let (mut set, _broker, _dir) = up().await?;
    let before = Traffic::new("before", 40);
    before.fund(&set.stage, 1_000).await?;
    set.everything_is_evaluated().await?;
    let mut sidecar = set
        .stage
        .sidecar
        .take()
        .context("the stage has a sidecar")?;
    sidecar.kill9()?;
    // Told and booked while nobody looks; both are read only afterwards.
    Traffic::new("blind", 40).fund(&set.stage, 500).await?;
    let mut conn = set.stage.pool.get_conn().await?;
    conn.query_drop(format!(
        "DELETE FROM {}.checkpoint WHERE source='kafka'",
        set.stage.schemas.guard
    ))
    .await?;
    sidecar.restart()?;
    sidecar
        .wait_ready(
            &set.stage.ports.address(set.stage.ports.sidecar),
            WAIT_TIMEOUT,
        )
        .await?;
    set.stage.sidecar = Some(sidecar);
    set.stage.wait_for_fence().await?;
    // Longer than any pair of the shipped rules may take.
    before.open(&set.stage, 50, Duration::from_secs(7)).await?;
    set.everything_is_evaluated().await?;
    let others: Vec<String> = set.verdicts().await?;
    ensure!(others.is_empty(), "{others:#?}");
    Ok(())
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

/// What is no event is written down by reason, once.
async fn set_aside_with_the_offsets(set: &TestStage) -> anyhow::Result<()> {
    let bad = [&b"\xff not text"[..], br#"{"id":"f","type":"payment.succeeded","accountId":"a","bizNo":"b","amount":1.5,"currency":"CNY","occurredUs":1}"#];
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
        evaluated(&set).await? == 1,
        "{} events",
        evaluated(&set).await?
    );
    // Aborted: nobody said it, and the fence passes all the same.
    producer.begin_transaction()?;
    in_transaction(&producer, &deposit(1))?;
    producer.abort_transaction(WAIT_TIMEOUT)?;
    set.everything_is_evaluated().await?;
    ensure!(
        evaluated(&set).await? == 1,
        "an aborted event was evaluated"
    );
    // Open: what lies behind it was told already, so tokens wait for its end.
    producer.begin_transaction()?;
    in_transaction(&producer, &deposit(2))?;
    let waits = tokio::time::timeout(Duration::from_secs(1), set.everything_is_evaluated()).await;
    ensure!(waits.is_err(), "a token passed an open transaction");
    producer.commit_transaction(WAIT_TIMEOUT)?;
    set.everything_is_evaluated().await?;
    ensure!(
        evaluated(&set).await? == 2 && blind(&set).await?.is_empty(),
        "{}",
        blind(&set).await?
    );

    // A stranger joins the group: said, and over when it leaves.
    let stranger: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.brokers())
        .set("group.id", "sluice-sidecar")
        .set("session.timeout.ms", "6000")
        .create()?;
    stranger.subscribe(&[BUSINESS_TOPICS[0]])?;
    until("the stranger is told", async || {
        let _ = stranger.poll(Duration::from_millis(20));
        Ok(blind(&set)
            .await?
            .contains("another consumer has joined the group sluice-sidecar"))
    })
    .await?;
    stranger.unsubscribe();
    tokio::task::spawn_blocking(move || drop(stranger)).await?;
    until("the stranger is gone", async || {
        Ok(blind(&set).await?.is_empty())
    })
    .await?;

    set_aside_with_the_offsets(&set).await?;
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
