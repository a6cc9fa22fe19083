//! Business events. Partitions are assigned by hand and offsets kept with the
//! verdicts, so that Kafka's own idea of progress can't differ from ours; the
//! consumer group is told how far we are (docs/decisions/009-kafka-offsets.md).

use crate::health::blind::{Blind, BlindCause};
use crate::kafka::dead_letters;
use crate::kafka::settings::KafkaSourceSettings;
use crate::metrics::SidecarMetrics;
use crate::stream::batches::{DeadLetter, KafkaBatch};
use crate::stream::change::ReceivedEvent;
use crate::stream::feed::{FeedSender, SourceMessage};
use crate::stream::offsets::PartitionOffsets;
use crate::stream::position::StartPosition;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use sluice_contract::event::BusinessEvent;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Events per hand-over; the same trade as for the binlog.
const MAX_EVENTS_PER_BATCH: usize = 512;
/// One wait for a message; also how fast cancellation is seen.
const POLL_TIMEOUT: Duration = Duration::from_millis(50);
/// One question to the brokers.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two tries to find the topics.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// What a consumer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsumerPurpose {
    /// Messages, but for those of aborted transactions.
    Committed,
    /// Nothing: it asks for ends. What lies behind an open transaction was published
    /// too and must be waited for.
    Ends,
}

/// Settings of a consumer, as reader and barrier use it.
pub fn client(
    settings: &KafkaSourceSettings,
    suffix: &str,
    reads: ConsumerPurpose,
) -> ClientConfig {
    let isolation = if reads == ConsumerPurpose::Committed {
        "read_committed"
    } else {
        "read_uncommitted"
    };
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &settings.brokers)
        .set("group.id", format!("{}{suffix}", settings.group))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", isolation)
        // The marks that end a transaction are no messages; reaching an end is how
        // the reader learns that it is past them.
        .set("enable.partition.eof", "true")
        // Data lost to retention must be an error, never a silent jump.
        .set("auto.offset.reset", "error")
        .set("fetch.wait.max.ms", settings.fetch_wait_ms.to_string())
        .set("fetch.error.backoff.ms", "50")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500")
        .set("socket.nagle.disable", "true")
        .set("allow.auto.create.topics", "true");
    config
}

/// A consumer that only asks.
pub fn end_offset_client(
    settings: &KafkaSourceSettings,
    suffix: &str,
) -> KafkaResult<BaseConsumer> {
    client(settings, suffix, ConsumerPurpose::Ends).create()
}

/// Every partition of the topics. A topic without partitions is an error: events
/// written to it a moment later would be missed.
pub fn partitions(
    consumer: &BaseConsumer,
    topics: &[String],
) -> anyhow::Result<Vec<(String, i32)>> {
    let mut all = Vec::new();
    for topic in topics {
        let found = consumer.fetch_metadata(Some(topic), QUERY_TIMEOUT)?;
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
pub fn ends(
    consumer: &BaseConsumer,
    partitions: &[(String, i32)],
) -> anyhow::Result<PartitionOffsets> {
    let mut list = TopicPartitionList::new();
    for (topic, partition) in partitions {
        list.add_partition_offset(topic, *partition, Offset::End)?;
    }
    let found = consumer.offsets_for_times(list, QUERY_TIMEOUT)?;
    let mut ends = PartitionOffsets::default();
    for element in found.elements() {
        element.error()?;
        match element.offset() {
            Offset::Offset(end) => ends.set(element.topic(), element.partition(), end),
            other => {
                anyhow::bail!(
                    "{}/{}: the broker gave {other:?} for its end",
                    element.topic(),
                    element.partition()
                )
            }
        }
    }
    Ok(ends)
}

/// The first offset of each partition that was published at `from_us` or later.
fn since(
    consumer: &BaseConsumer,
    partitions: &[(String, i32)],
    from_us: i64,
) -> anyhow::Result<PartitionOffsets> {
    // Asked first: what is published meanwhile comes after it.
    let mut since = ends(consumer, partitions)?;
    let mut list = TopicPartitionList::new();
    for (topic, partition) in partitions {
        list.add_partition_offset(topic, *partition, Offset::Offset(from_us / 1_000))?;
    }
    for element in consumer.offsets_for_times(list, QUERY_TIMEOUT)?.elements() {
        element.error()?;
        // Anything else: nothing was published since then, so the end it is.
        if let Offset::Offset(first) = element.offset() {
            let end = since
                .next(element.topic(), element.partition())
                .unwrap_or(first);
            since.set(element.topic(), element.partition(), first.min(end));
        }
    }
    Ok(since)
}

pub struct KafkaReader {
    pub settings: KafkaSourceSettings,
    pub start: StartPosition,
    /// From the checkpoint, if there is one.
    pub offsets: Option<PartitionOffsets>,
    /// Without it: the past from then on, which rows that are still to come may need.
    /// None: from the end.
    pub from_us: Option<i64>,
    pub feed: FeedSender,
    pub blind: Blind,
    pub metrics: &'static SidecarMetrics,
    /// Raised once all partitions are assigned; the barrier waits for it.
    pub assigned: Arc<AtomicBool>,
}

impl KafkaReader {
    /// Reads until cancelled, on its own thread.
    pub fn run(self) -> anyhow::Result<()> {
        let consumer: BaseConsumer =
            client(&self.settings, "", ConsumerPurpose::Committed).create()?;
        let mut known: Vec<(String, i32)> = Vec::new();
        let mut offsets = self.offsets.clone().unwrap_or_default();
        let mut look_again = Instant::now();
        while !self.feed.is_cancelled() {
            if Instant::now() >= look_again {
                let found = self.assign(&consumer, &mut known, &mut offsets);
                look_again = Instant::now()
                    + if found {
                        Duration::from_millis(self.settings.metadata_interval_ms)
                    } else {
                        RETRY_DELAY
                    };
            }
            if !self.poll(&consumer, &mut offsets) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Adds partitions that are new. Whether all topics are there.
    fn assign(
        &self,
        consumer: &BaseConsumer,
        known: &mut Vec<(String, i32)>,
        offsets: &mut PartitionOffsets,
    ) -> bool {
        match self.try_assign(consumer, known, offsets) {
            Ok(()) => {
                self.assigned.store(true, Ordering::Release);
                true
            }
            Err(error) => {
                // Once assigned, the barrier finds out by itself whether Kafka can be reached.
                if known.is_empty() {
                    self.blind.set(BlindCause::Kafka, format!("{error:#}"));
                }
                false
            }
        }
    }

    fn try_assign(
        &self,
        consumer: &BaseConsumer,
        known: &mut Vec<(String, i32)>,
        offsets: &mut PartitionOffsets,
    ) -> anyhow::Result<()> {
        let found = partitions(consumer, &self.settings.topics)?;
        let fresh: Vec<_> = found
            .iter()
            .filter(|p| !known.contains(p))
            .cloned()
            .collect();
        if fresh.is_empty() {
            return Ok(());
        }
        // At the very first start only the past that pairs need is ours. A partition that appears
        // later is read from its beginning, or its first events would be missed.
        let at_end = known.is_empty() && self.offsets.is_none() && self.start == StartPosition::Now;
        let ends = match self.from_us {
            _ if !at_end => PartitionOffsets::default(),
            Some(from_us) => since(consumer, &fresh, from_us)?,
            None => ends(consumer, &fresh)?,
        };
        let mut list = TopicPartitionList::new();
        let mut lows = PartitionOffsets::default();
        for (topic, partition) in &fresh {
            let stored = offsets
                .next(topic, *partition)
                .or_else(|| ends.next(topic, *partition));
            if stored.is_none() {
                // What retention took before we came never comes: without this a partition
                // that it emptied would be waited for to its end, and no token would pass.
                let (low, _) = consumer.fetch_watermarks(topic, *partition, QUERY_TIMEOUT)?;
                lows.set(topic, *partition, low);
            }
            // Not at that offset: retention may have gone on, which is no loss either.
            let from = stored.map_or(Offset::Beginning, Offset::Offset);
            list.add_partition_offset(topic, *partition, from)?;
        }
        consumer.incremental_assign(&list)?;
        for (topic, partition) in &fresh {
            if let Some(begin) = ends
                .next(topic, *partition)
                .or_else(|| lows.next(topic, *partition))
            {
                offsets.set(topic, *partition, begin);
            }
        }
        tracing::info!(
            partitions = fresh.len(),
            offsets = offsets.render(),
            "kafka partitions assigned"
        );
        known.extend(fresh);
        self.send(KafkaBatch::default(), offsets);
        Ok(())
    }

    /// One batch. `false` if nobody listens any more.
    fn poll(&self, consumer: &BaseConsumer, offsets: &mut PartitionOffsets) -> bool {
        let mut batch = KafkaBatch::default();
        let mut read = 0;
        let mut wait = POLL_TIMEOUT;
        while let Some(message) = consumer.poll(wait) {
            wait = Duration::ZERO;
            match message {
                Ok(message) => {
                    offsets.set(message.topic(), message.partition(), message.offset() + 1);
                    match self.event(&message) {
                        Ok(event) => batch.events.push(Arc::new(event)),
                        Err(refused) => batch.dead_letters.push(refused),
                    }
                    read += 1;
                }
                Err(KafkaError::PartitionEOF(_)) => {}
                Err(error) => self.failed(&error),
            }
            if read >= MAX_EVENTS_PER_BATCH {
                break;
            }
        }
        let past_control_records = skip_control_records(consumer, offsets);
        (read == 0 && !past_control_records) || self.send(batch, offsets)
    }

    fn failed(&self, error: &KafkaError) {
        let lost = [
            RDKafkaErrorCode::AutoOffsetReset,
            RDKafkaErrorCode::OffsetOutOfRange,
        ];
        if error
            .rdkafka_error_code()
            .is_some_and(|code| lost.contains(&code))
        {
            self.blind.set(
                BlindCause::KafkaPosition,
                format!("lost ({error}); check the gap, then delete the checkpoint row of source kafka and restart"),
            );
        } else {
            tracing::warn!(%error, "kafka");
        }
    }

    fn event(&self, message: &BorrowedMessage<'_>) -> Result<ReceivedEvent, DeadLetter> {
        let payload = message.payload().unwrap_or_default();
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        BusinessEvent::read(payload)
            .map(|body| ReceivedEvent {
                position: format!("{topic}/{partition}/{offset}").into(),
                body,
            })
            .map_err(|why| {
                self.metrics
                    .dead_letters
                    .with_label_values(&[why.label()])
                    .inc();
                tracing::warn!(
                    topic,
                    partition,
                    offset,
                    why = why.as_str(),
                    "a business event is set aside"
                );
                DeadLetter {
                    topic: topic.to_owned(),
                    partition,
                    offset,
                    reason: why.label(),
                    payload: payload[..payload.len().min(dead_letters::MAX_PAYLOAD_BYTES)].to_vec(),
                    bytes: payload.len(),
                    event_time_us: message
                        .timestamp()
                        .to_millis()
                        .map_or(0, |ms| ms.saturating_mul(1_000)),
                }
            })
    }

    fn send(&self, mut batch: KafkaBatch, offsets: &PartitionOffsets) -> bool {
        batch.offsets = Arc::new(offsets.clone());
        self.feed.send(SourceMessage::Kafka(batch))
    }
}

/// Moves past what the broker delivered without a message: the marks that end
/// transactions, and all that an aborted one had written. Whether anything moved.
pub fn skip_control_records(consumer: &BaseConsumer, offsets: &mut PartitionOffsets) -> bool {
    // A local question; an error means that nothing is assigned yet.
    let Ok(reached) = consumer.position() else {
        return false;
    };
    let mut moved = false;
    for element in reached.elements() {
        let Offset::Offset(next) = element.offset() else {
            continue;
        };
        let (topic, partition) = (element.topic(), element.partition());
        if offsets
            .next(topic, partition)
            .is_none_or(|known| known < next)
        {
            offsets.set(topic, partition, next);
            moved = true;
        }
    }
    moved
}
