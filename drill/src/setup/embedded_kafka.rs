//! An embedded Kafka: librdkafka's mock cluster in this process. It speaks the
//! real protocol over TCP and keeps nothing on disk.

use anyhow::Context;
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, DefaultProducerContext, Producer};
use std::time::Duration;

/// Bytes that the mock keeps per partition; older messages are dropped without a word
/// (librdkafka's `rdkafka_mock.c`). A consumer that falls further behind loses.
pub const MAX_BYTES_PER_PARTITION: usize = 5 << 20;
pub const MAX_MESSAGES_PER_PARTITION: usize = 100_000;

/// All brokers, in the mock's own counting.
const ALL_BROKERS: i32 = -1;

/// Lives as long as this handle. The cluster belongs to a client that does
/// nothing else, because the stand-alone handle can't move between threads.
pub struct EmbeddedKafka {
    owner: BaseProducer,
    brokers: String,
}

impl EmbeddedKafka {
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
        Ok(EmbeddedKafka { owner, brokers })
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
            .broker_down(ALL_BROKERS)
            .context("can't take the embedded Kafka down")
    }

    pub fn come_up(&self) -> anyhow::Result<()> {
        self.cluster()?
            .broker_up(ALL_BROKERS)
            .context("can't bring the embedded Kafka up")
    }

    /// Delays every answer.
    pub fn slow_down(&self, round_trip: Duration) -> anyhow::Result<()> {
        self.cluster()?
            .broker_round_trip_time(ALL_BROKERS, round_trip)
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
#[path = "embedded_kafka_tests.rs"]
mod tests;
