//! The reader of business events and the barrier on a real Kafka.

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use sluice_contract::clock::now_us;
use sluice_contract::telemetry::Readiness;
use sluice_drill::setup::Broker;
use sluice_sidecar::blind::Blind;
use sluice_sidecar::config::Kafka;
use sluice_sidecar::metrics::metrics;
use sluice_sidecar::pipeline::{Feed, barrier};
use sluice_sidecar::sources::offsets::Offsets;
use sluice_sidecar::sources::{Start, kafka};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const TOPIC: &str = "business.payment";
const PATIENCE: Duration = Duration::from_secs(20);

fn publish(broker: &Broker, partition: i32, count: usize) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker.brokers())
        .set("message.timeout.ms", "20000")
        .create()
        .unwrap();
    for _ in 0..count {
        producer
            .send(
                BaseRecord::<str, str>::to(TOPIC)
                    .partition(partition)
                    .payload("{}"),
            )
            .unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_retention_took_is_not_waited_for_and_new_partitions_are() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(dir.path(), None).await.unwrap();
    broker.create_topic(TOPIC, 2).await.unwrap();
    publish(&broker, 0, 5);
    broker.delete_before(TOPIC, 0, 5).await.unwrap();

    // A long list for the reader: the barrier must not rest on it.
    let settings = Kafka {
        brokers: broker.brokers(),
        topics: vec![TOPIC.to_owned()],
        metadata_interval_ms: 60_000,
        ..Kafka::default()
    };
    let (feed, fed) = crossbeam_channel::bounded(64);
    let blind = Blind::new(
        Readiness::default(),
        prometheus::IntGauge::new("k", "k").unwrap(),
    );
    let (cancel, assigned) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
    let _ends_with_us = cancel.clone().drop_guard();
    let reader = kafka::Reader {
        settings: settings.clone(),
        start: Start::Now,
        // Of before the topic was added to the settings.
        offsets: Some(Offsets::default()),
        from_us: None,
        feed: feed.clone(),
        blind: blind.clone(),
        metrics: metrics().unwrap(),
        cancel: cancel.clone(),
        assigned: Arc::clone(&assigned),
    };
    std::thread::spawn(move || reader.run());
    let (barrier, bell) = barrier::barrier(settings, feed, blind, cancel, assigned);
    std::thread::spawn(move || barrier.run());

    let (mut read, begun) = (Offsets::default(), Instant::now());
    let mut next = || loop {
        assert!(begun.elapsed() < PATIENCE, "read {read:?}");
        match fed.recv_timeout(PATIENCE).unwrap() {
            Feed::Kafka(batch) => read = Offsets::clone(&batch.offsets),
            Feed::Passage(passage) => return (passage, read.clone()),
            other => panic!("{other:?}"),
        }
    };
    let number = bell.ring();
    loop {
        let (passage, read) = next();
        if passage.seen >= number && read.reached(&passage.ends) {
            assert_eq!(passage.ends.next(TOPIC, 0), Some(5));
            break;
        }
    }

    // A partition more, with an event on it: every later moment includes it.
    broker.add_partitions(TOPIC, 3).await.unwrap();
    publish(&broker, 2, 1);
    let published_us = now_us();
    loop {
        bell.ring();
        let (passage, _) = next();
        if passage.ends.next(TOPIC, 2) == Some(1) {
            break;
        }
        assert!(
            passage.at_us < published_us,
            "a moment was told without the new partition"
        );
    }
}
