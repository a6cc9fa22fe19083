//! The reader of business events and Kafka's gate on a real Kafka.

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use sluice_contract::clock::now_us;
use sluice_contract::telemetry::Readiness;
use sluice_drill::setup::KafkaBroker;
use sluice_sidecar::health::blind::Blind;
use sluice_sidecar::kafka::consumer;
use sluice_sidecar::kafka::settings::KafkaSourceSettings;
use sluice_sidecar::metrics::metrics;
use sluice_sidecar::pipeline::gate::asker;
use sluice_sidecar::pipeline::gate::kafka_ends::KafkaEndReader;
use sluice_sidecar::pipeline::gate::requests::EndOffsetRequests;
use sluice_sidecar::stream::feed::{FeedSender, SourceMessage};
use sluice_sidecar::stream::offsets::PartitionOffsets;
use sluice_sidecar::stream::position::StartPosition;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const PAYMENT_TOPIC: &str = "business.payment";
const WAIT_TIMEOUT: Duration = Duration::from_secs(20);

fn publish(broker: &KafkaBroker, partition: i32, count: usize) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker.brokers())
        .set("message.timeout.ms", "20000")
        .create()
        .unwrap();
    for _ in 0..count {
        producer
            .send(
                BaseRecord::<str, str>::to(PAYMENT_TOPIC)
                    .partition(partition)
                    .payload("{}"),
            )
            .unwrap();
    }
    producer.flush(WAIT_TIMEOUT).unwrap();
}

/// Starts the reader and the asker of ends.
fn start(broker: &KafkaBroker, feed: FeedSender) -> EndOffsetRequests {
    // A long list for the reader: the gate must not rest on it.
    let settings = KafkaSourceSettings {
        brokers: broker.brokers(),
        topics: vec![PAYMENT_TOPIC.to_owned()],
        metadata_interval_ms: 60_000,
        ..KafkaSourceSettings::default()
    };
    let blind = Blind::new(
        Readiness::default(),
        prometheus::IntGauge::new("k", "k").unwrap(),
    );
    let assigned = Arc::new(AtomicBool::new(false));
    let reader = consumer::KafkaReader {
        settings: settings.clone(),
        start: StartPosition::Now,
        // Of before the topic was added to the settings.
        offsets: Some(PartitionOffsets::default()),
        from_us: None,
        feed: feed.clone(),
        blind: blind.clone(),
        metrics: metrics().unwrap(),
        assigned: Arc::clone(&assigned),
    };
    std::thread::spawn(move || reader.run());
    let (requests, queue) = EndOffsetRequests::new();
    let asker = KafkaEndReader::new(&settings, assigned, blind).unwrap();
    std::thread::spawn(move || asker::run(asker, &queue, &feed));
    requests
}

#[tokio::test(flavor = "multi_thread")]
async fn what_retention_took_is_not_waited_for_and_new_partitions_are() {
    let dir = tempfile::tempdir().unwrap();
    let broker = KafkaBroker::start(dir.path(), None).await.unwrap();
    broker.create_topic(PAYMENT_TOPIC, 2).await.unwrap();
    publish(&broker, 0, 5);
    broker.delete_before(PAYMENT_TOPIC, 0, 5).await.unwrap();

    let (feed, fed) = crossbeam_channel::bounded(64);
    let cancel = CancellationToken::new();
    let _ends_with_us = cancel.clone().drop_guard();
    let requests = start(&broker, FeedSender::new(feed, cancel));

    let (mut read, begun) = (PartitionOffsets::default(), Instant::now());
    let mut next = || loop {
        assert!(begun.elapsed() < WAIT_TIMEOUT, "read {read:?}");
        match fed.recv_timeout(WAIT_TIMEOUT).unwrap() {
            SourceMessage::Kafka(batch) => read = PartitionOffsets::clone(&batch.offsets),
            SourceMessage::KafkaEnds(answer) => return (answer, read.clone()),
            other => panic!("{other:?}"),
        }
    };
    let number = requests.ring();
    loop {
        let (answer, read) = next();
        if answer.seen >= number && read.reached(&answer.ends) {
            assert_eq!(answer.ends.next(PAYMENT_TOPIC, 0), Some(5));
            break;
        }
    }

    // A partition more, with an event on it: every later moment includes it.
    broker.add_partitions(PAYMENT_TOPIC, 3).await.unwrap();
    publish(&broker, 2, 1);
    let published_us = now_us();
    loop {
        requests.ring();
        let (answer, _) = next();
        if answer.ends.next(PAYMENT_TOPIC, 2) == Some(1) {
            break;
        }
        assert!(
            answer.at_us < published_us,
            "a moment was told without the new partition"
        );
    }
}
