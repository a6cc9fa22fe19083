//! An embedded Kafka: librdkafka's mock cluster in this process. It speaks the
//! real protocol over TCP and keeps nothing on disk.

use anyhow::Context;
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, DefaultProducerContext, Producer};
use std::time::Duration;

/// What the mock keeps per partition; older messages are dropped without a word
/// (librdkafka's `rdkafka_mock.c`). A consumer that falls further behind loses.
pub const KEPT_BYTES_PER_PARTITION: usize = 5 << 20;
pub const KEPT_MESSAGES_PER_PARTITION: usize = 100_000;

/// All brokers, in the mock's own counting.
const EVERY_BROKER: i32 = -1;

/// Lives as long as this handle. The cluster belongs to a client that does
/// nothing else, because the stand-alone handle can't move between threads.
pub struct Kafka {
    owner: BaseProducer,
    brokers: String,
}

impl Kafka {
    /// A cluster of one broker.
    pub fn start() -> anyhow::Result<Self> {
        let mut config = ClientConfig::new();
        // Its own client complains of every outage that a drill makes.
        config
            .set("test.mock.num.brokers", "1")
            .set("log_level", "0");
        let owner: BaseProducer = config.create().context("can't start the embedded Kafka")?;
        let cluster = owner
            .client()
            .mock_cluster()
            .context("this librdkafka has no mock cluster")?;
        let brokers = cluster.bootstrap_servers();
        drop(cluster);
        Ok(Kafka { owner, brokers })
    }

    /// For `bootstrap.servers`.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The admin API for this is not in the mock, so topics are made here.
    pub fn create_topic(&self, topic: &str, partitions: i32) -> anyhow::Result<()> {
        self.cluster()?
            .create_topic(topic, partitions, 1)
            .with_context(|| format!("can't create topic {topic}"))
    }

    /// Cuts all connections and takes no new ones. What was stored stays.
    pub fn go_down(&self) -> anyhow::Result<()> {
        self.cluster()?
            .broker_down(EVERY_BROKER)
            .context("can't take the embedded Kafka down")
    }

    pub fn come_up(&self) -> anyhow::Result<()> {
        self.cluster()?
            .broker_up(EVERY_BROKER)
            .context("can't bring the embedded Kafka up")
    }

    /// Delays every answer.
    pub fn slow_down(&self, round_trip: Duration) -> anyhow::Result<()> {
        self.cluster()?
            .broker_round_trip_time(EVERY_BROKER, round_trip)
            .context("can't slow the embedded Kafka down")
    }

    fn cluster(&self) -> anyhow::Result<MockCluster<'_, DefaultProducerContext>> {
        self.owner
            .client()
            .mock_cluster()
            .context("the embedded Kafka is gone")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::EventProducer;
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::message::Message;
    use rust_decimal::Decimal;
    use sluice_contract::event::{BusinessEvent, PAYMENT_SUCCEEDED};

    fn event(n: i64) -> BusinessEvent {
        BusinessEvent {
            id: format!("e-{n}"),
            kind: PAYMENT_SUCCEEDED.into(),
            account_id: format!("a-{}", n % 3),
            biz_no: format!("z-{n}"),
            amount: Decimal::new(n + 1, 2),
            currency: "CNY".into(),
            occurred_us: n,
        }
    }

    /// Ids per account, in the order of the topic.
    fn read(brokers: &str, topic: &str, count: usize) -> Vec<BusinessEvent> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "test")
            .set("auto.offset.reset", "earliest")
            .create()
            .unwrap();
        consumer.subscribe(&[topic]).unwrap();
        let mut events = Vec::new();
        for _ in 0..300 {
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
                events.push(serde_json::from_slice(message.payload().unwrap()).unwrap());
            }
            if events.len() == count {
                break;
            }
        }
        events
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_outage_loses_and_doubles_nothing() {
        let kafka = Kafka::start().unwrap();
        let topic = event(0).topic();
        kafka.create_topic(topic, 4).unwrap();
        let producer = EventProducer::new(kafka.brokers()).unwrap();
        producer.send(&event(0)).await.unwrap();
        kafka.go_down().unwrap();
        for n in 1..200 {
            producer.queue(&event(n)).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        kafka.come_up().unwrap();
        assert_eq!(producer.flush(Duration::from_secs(30)).await.unwrap(), 200);
        let brokers = kafka.brokers().to_owned();
        let events = tokio::task::spawn_blocking(move || read(&brokers, topic, 200))
            .await
            .unwrap();
        for account in ["a-0", "a-1", "a-2"] {
            let of_account: Vec<_> = events
                .iter()
                .filter(|e| e.account_id == account)
                .map(|e| e.occurred_us)
                .collect();
            assert!(
                of_account.is_sorted_by(|a, b| a < b),
                "{account}: {of_account:?}"
            );
        }
        assert_eq!(events.len(), 200);
    }
}
