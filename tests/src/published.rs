//! Events that the core published, read from Kafka itself.

use crate::TestStage;
use anyhow::Context;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use sluice_contract::event::{ORDER_TOPIC, OrderEvent};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Event as a consumer gets it.
#[derive(Debug)]
pub struct PublishedMessage {
    pub event: OrderEvent,
    pub headers: BTreeMap<String, String>,
}

impl TestStage {
    /// All events that the core published so far, from Kafka itself.
    pub fn published(&self) -> anyhow::Result<Vec<OrderEvent>> {
        let messages = self.published_messages()?;
        Ok(messages.into_iter().map(|message| message.event).collect())
    }

    /// The same, with their headers.
    pub fn published_messages(&self) -> anyhow::Result<Vec<PublishedMessage>> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.stage.brokers)
            .set("group.id", "tests")
            .set("enable.auto.commit", "false")
            .create()?;
        let kafka_timeout = Duration::from_secs(10);
        let metadata = consumer.fetch_metadata(Some(ORDER_TOPIC), kafka_timeout)?;
        let partitions = metadata.topics().first().context("no topic")?.partitions();
        let (mut list, mut due) = (TopicPartitionList::new(), 0);
        for partition in partitions {
            let (low, high) =
                consumer.fetch_watermarks(ORDER_TOPIC, partition.id(), kafka_timeout)?;
            list.add_partition_offset(ORDER_TOPIC, partition.id(), Offset::Offset(low))?;
            due += high - low;
        }
        consumer.assign(&list)?;
        let begun = Instant::now();
        let mut events = Vec::new();
        while (events.len() as i64) < due && begun.elapsed() < Duration::from_secs(30) {
            if let Some(message) = consumer.poll(Duration::from_millis(200)) {
                let message = message?;
                events.push(PublishedMessage {
                    event: serde_json::from_slice(message.payload().unwrap_or_default())?,
                    headers: headers(&message),
                });
            }
        }
        Ok(events)
    }
}

fn headers(message: &BorrowedMessage<'_>) -> BTreeMap<String, String> {
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    let text =
        |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    headers.map(|h| (h.key.to_owned(), text(h.value))).collect()
}
