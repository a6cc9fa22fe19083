//! Business events. Partitions are assigned by hand and offsets kept with the
//! verdicts, so that Kafka's own idea of progress can't differ from ours.

use super::offsets::Offsets;
use super::{KafkaBatch, Start};
use crate::blind::{Blind, Cause};
use crate::change::Event;
use crate::config::Kafka;
use crate::metrics::Metrics;
use crate::pipeline::Feed;
use crossbeam_channel::{SendTimeoutError, Sender};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use sluice_contract::event::BusinessEvent;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Events per hand-over; the same trade as for the binlog.
const BATCH_EVENTS: usize = 512;
/// One wait for a message; also how fast cancellation is seen.
const POLL: Duration = Duration::from_millis(50);
/// One question to the brokers.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// Between two tries to find the topics.
const RETRY: Duration = Duration::from_millis(200);

/// A consumer as both the reader and the barrier use it.
pub fn consumer(settings: &Kafka, suffix: &str) -> KafkaResult<BaseConsumer> {
    ClientConfig::new()
        .set("bootstrap.servers", &settings.brokers)
        .set("group.id", format!("{}{suffix}", settings.group))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // Data lost to retention must be an error, never a silent jump.
        .set("auto.offset.reset", "error")
        .set("fetch.wait.max.ms", settings.fetch_wait_ms.to_string())
        .set("fetch.error.backoff.ms", "50")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500")
        .set("socket.nagle.disable", "true")
        .set("allow.auto.create.topics", "true")
        .create()
}

/// Every partition of the topics. A topic without partitions is an error: events
/// written to it a moment later would be missed.
pub fn partitions(consumer: &BaseConsumer, topics: &[String]) -> anyhow::Result<Vec<(String, i32)>> {
    let mut all = Vec::new();
    for topic in topics {
        let found = consumer.fetch_metadata(Some(topic), PATIENCE)?;
        let found = found.topics().iter().find(|t| t.name() == topic);
        let partitions = found.map_or(&[][..], |t| t.partitions());
        if partitions.is_empty() {
            anyhow::bail!("topic {topic} does not exist yet; create it");
        }
        all.extend(partitions.iter().map(|p| (topic.clone(), p.id())));
    }
    Ok(all)
}

/// The end of every partition, in one request per broker.
pub fn ends(consumer: &BaseConsumer, partitions: &[(String, i32)]) -> anyhow::Result<Offsets> {
    let mut list = TopicPartitionList::new();
    for (topic, partition) in partitions {
        list.add_partition_offset(topic, *partition, Offset::End)?;
    }
    let found = consumer.offsets_for_times(list, PATIENCE)?;
    let mut ends = Offsets::default();
    for element in found.elements() {
        element.error()?;
        match element.offset() {
            Offset::Offset(end) => ends.set(element.topic(), element.partition(), end),
            other => {
                anyhow::bail!("{}/{}: the broker gave {other:?} for its end", element.topic(), element.partition())
            }
        }
    }
    Ok(ends)
}

pub struct Reader {
    pub settings: Kafka,
    pub start: Start,
    /// From the checkpoint, if there is one.
    pub offsets: Option<Offsets>,
    pub feed: Sender<Feed>,
    pub blind: Blind,
    pub metrics: &'static Metrics,
    pub cancel: CancellationToken,
    /// Raised once all partitions are assigned; the barrier waits for it.
    pub assigned: Arc<AtomicBool>,
}

impl Reader {
    /// Reads until cancelled, on its own thread.
    pub fn run(self) -> anyhow::Result<()> {
        let consumer = consumer(&self.settings, "")?;
        let mut known: Vec<(String, i32)> = Vec::new();
        let mut offsets = self.offsets.clone().unwrap_or_default();
        let mut look_again = Instant::now();
        while !self.cancel.is_cancelled() {
            if Instant::now() >= look_again {
                let found = self.assign(&consumer, &mut known, &mut offsets);
                look_again =
                    Instant::now() + if found { Duration::from_millis(self.settings.metadata_ms) } else { RETRY };
            }
            if !self.poll(&consumer, &mut offsets) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Adds partitions that are new. Whether all topics are there.
    fn assign(&self, consumer: &BaseConsumer, known: &mut Vec<(String, i32)>, offsets: &mut Offsets) -> bool {
        match self.try_assign(consumer, known, offsets) {
            Ok(()) => {
                self.assigned.store(true, Ordering::Release);
                true
            }
            Err(error) => {
                // Once assigned, the barrier finds out by itself whether Kafka can be reached.
                if known.is_empty() {
                    self.blind.set(Cause::Kafka, format!("{error:#}"));
                }
                false
            }
        }
    }

    fn try_assign(
        &self,
        consumer: &BaseConsumer,
        known: &mut Vec<(String, i32)>,
        offsets: &mut Offsets,
    ) -> anyhow::Result<()> {
        let found = partitions(consumer, &self.settings.topics)?;
        let fresh: Vec<_> = found.iter().filter(|p| !known.contains(p)).cloned().collect();
        if fresh.is_empty() {
            return Ok(());
        }
        // At the very first start the past is not ours. A partition that appears
        // later is read from its beginning, or its first events would be missed.
        let at_end = known.is_empty() && self.offsets.is_none() && self.start == Start::Now;
        let ends = if at_end { ends(consumer, &fresh)? } else { Offsets::default() };
        let mut list = TopicPartitionList::new();
        for (topic, partition) in &fresh {
            let stored = offsets.next(topic, *partition).or_else(|| ends.next(topic, *partition));
            let from = stored.map_or(Offset::Beginning, Offset::Offset);
            list.add_partition_offset(topic, *partition, from)?;
        }
        consumer.incremental_assign(&list)?;
        for (topic, partition) in &fresh {
            if let Some(end) = ends.next(topic, *partition) {
                offsets.set(topic, *partition, end);
            }
        }
        tracing::info!(partitions = fresh.len(), offsets = offsets.render(), "kafka partitions assigned");
        known.extend(fresh);
        self.send(Vec::new(), offsets);
        Ok(())
    }

    /// One batch. `false` if nobody listens any more.
    fn poll(&self, consumer: &BaseConsumer, offsets: &mut Offsets) -> bool {
        let mut events = Vec::new();
        let mut read = 0;
        let mut wait = POLL;
        while let Some(message) = consumer.poll(wait) {
            wait = Duration::ZERO;
            match message {
                Ok(message) => {
                    offsets.set(message.topic(), message.partition(), message.offset() + 1);
                    events.extend(self.event(&message).map(Arc::new));
                    read += 1;
                }
                Err(error) => self.failed(&error),
            }
            if read >= BATCH_EVENTS {
                break;
            }
        }
        read == 0 || self.send(events, offsets)
    }

    fn failed(&self, error: &KafkaError) {
        let lost = [RDKafkaErrorCode::AutoOffsetReset, RDKafkaErrorCode::OffsetOutOfRange];
        if error.rdkafka_error_code().is_some_and(|code| lost.contains(&code)) {
            self.blind.set(
                Cause::KafkaPosition,
                format!("lost ({error}); check the gap, then delete the checkpoint row of source kafka and restart"),
            );
        } else {
            tracing::warn!(%error, "kafka");
        }
    }

    fn event(&self, message: &BorrowedMessage<'_>) -> Option<Event> {
        let position = format!("{}/{}/{}", message.topic(), message.partition(), message.offset());
        match BusinessEvent::read(message.payload().unwrap_or_default()) {
            Ok(body) => Some(Event { position: position.into(), body }),
            Err(why) => {
                self.metrics.events_set_aside.inc();
                tracing::warn!(position, why, "a business event is set aside");
                None
            }
        }
    }

    fn send(&self, events: Vec<Arc<Event>>, offsets: &Offsets) -> bool {
        let mut feed = Feed::Kafka(KafkaBatch { events, offsets: Arc::new(offsets.clone()) });
        loop {
            match self.feed.send_timeout(feed, Duration::from_millis(100)) {
                Ok(()) => return true,
                Err(SendTimeoutError::Timeout(back)) if !self.cancel.is_cancelled() => feed = back,
                Err(_) => return false,
            }
        }
    }
}
