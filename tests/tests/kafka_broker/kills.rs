//! A broker that is killed under load loses and doubles nothing.

use crate::kafka_broker::{WAIT_TIMEOUT, evaluated, up};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use sluice_contract::event::BUSINESS_TOPICS;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, until};
use std::time::Duration;

/// Offsets that the group holds, and those committed with the verdicts.
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
