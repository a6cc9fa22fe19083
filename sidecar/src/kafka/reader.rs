//! The reader of business events, on a thread of its own.

use crate::health::blind::{Blind, BlindCause};
use crate::kafka::consumer::{ConsumerPurpose, client};
use crate::kafka::ends::skip_control_records;
use crate::kafka::settings::KafkaSourceSettings;
use crate::metrics::SidecarMetrics;
use crate::stream::batches::KafkaBatch;
use crate::stream::feed::{FeedSender, SourceMessage};
use crate::stream::offsets::PartitionOffsets;
use crate::stream::position::StartPosition;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use sluice_contract::kafka::KafkaCertificates;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Events per hand-over; the same trade as for the binlog.
const MAX_EVENTS_PER_BATCH: usize = 512;
/// One wait for a message; also how fast cancellation is seen.
const POLL_TIMEOUT: Duration = Duration::from_millis(50);
/// Between two tries to find the topics.
const RETRY_DELAY: Duration = Duration::from_millis(200);

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
    /// Raised once all partitions are assigned; the asker of ends waits for it.
    pub assigned: Arc<AtomicBool>,
}

impl KafkaReader {
    /// Reads until cancelled, on its own thread.
    pub fn run(self) -> anyhow::Result<()> {
        let mut files = KafkaCertificates::of(&self.settings.connection());
        let mut consumer = self.consumer()?;
        let mut known: Vec<(String, i32)> = Vec::new();
        let mut offsets = self.offsets.clone().unwrap_or_default();
        let mut look_again = Instant::now();
        while !self.feed.is_cancelled() {
            if files.have_changed() {
                consumer = self.renewed(consumer, &known, &offsets);
            }
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

    fn consumer(&self) -> KafkaResult<BaseConsumer> {
        client(&self.settings, "", ConsumerPurpose::Committed).create()
    }

    /// A consumer made of new certificates, which goes on where `old` was; `old` if none can
    /// be made.
    fn renewed(
        &self,
        old: BaseConsumer,
        known: &[(String, i32)],
        offsets: &PartitionOffsets,
    ) -> BaseConsumer {
        match self.consumer().and_then(|new| go_on(new, known, offsets)) {
            Ok(new) => {
                tracing::info!("TLS of Kafka: the reader uses the new files");
                new
            }
            Err(error) => {
                tracing::error!("TLS of Kafka: the present reader stays: {error}");
                old
            }
        }
    }

    /// Hands over one batch. `false` if nobody listens any more.
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

    pub(super) fn send(&self, mut batch: KafkaBatch, offsets: &PartitionOffsets) -> bool {
        batch.offsets = Arc::new(offsets.clone());
        self.feed.send(SourceMessage::Kafka(batch))
    }
}

/// Assigns the partitions to a new consumer, each where it was read up to.
fn go_on(
    consumer: BaseConsumer,
    known: &[(String, i32)],
    offsets: &PartitionOffsets,
) -> KafkaResult<BaseConsumer> {
    let mut list = TopicPartitionList::new();
    for (topic, partition) in known {
        let next = offsets.next(topic, *partition);
        let from = next.map_or(Offset::Beginning, Offset::Offset);
        list.add_partition_offset(topic, *partition, from)?;
    }
    if list.count() > 0 {
        consumer.incremental_assign(&list)?;
    }
    Ok(consumer)
}
