//! One reading of the feed: rounds of messages, and what they make whole handed over.

use crate::debezium::FeedMessagePosition;
use crate::debezium::reader::stop::{FeedStop, check_error};
use crate::debezium::reader::{ChangeFeedReader, POLL_TIMEOUT};
use crate::debezium::transactions::TransactionAssembler;
use crate::kafka::consumer::{self, ConsumerPurpose};
use crate::kafka::settings::KafkaSourceSettings;
use crate::stream::batches::BinlogBatch;
use crate::stream::feed::SourceMessage;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use sluice_contract::kafka::KafkaCertificates;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Changes per hand-over, as for the binlog.
const MAX_CHANGES_PER_BATCH: usize = 1024;
/// Messages per round, so that heads are emitted while a backlog is read.
const MAX_MESSAGES_PER_ROUND: usize = 2048;
/// A wait for the pieces of a transaction.
pub struct ReaderWait {
    pub transaction: String,
    /// Pieces that it lacked last.
    pub left: i64,
    /// Time at which the last of them came.
    pub since: Instant,
}

/// One reading of the feed, from a position on.
pub struct FeedSession<'r> {
    pub reader: &'r ChangeFeedReader,
    pub consumer: BaseConsumer,
    /// Files that the consumer was made from.
    pub files: KafkaCertificates,
    pub assembler: TransactionAssembler,
    pub known: Vec<(String, i32)>,
    pub paused: BTreeSet<(String, i32)>,
    pub batch: BinlogBatch,
    /// The next transaction, while it waits for its pieces.
    pub waits_since: Option<ReaderWait>,
    pub look_again: Instant,
}

fn new_consumer(settings: &KafkaSourceSettings) -> KafkaResult<BaseConsumer> {
    consumer::client(settings, "-changes", ConsumerPurpose::Committed)
        // For each of a dozen partitions: far below the 64 MB of the default.
        .set("queued.max.messages.kbytes", "8192")
        .create()
}

impl<'r> FeedSession<'r> {
    /// A session that has no partitions yet.
    pub fn begin(reader: &'r ChangeFeedReader) -> Result<Self, FeedStop> {
        let settings = &reader.settings;
        Ok(FeedSession {
            reader,
            files: KafkaCertificates::of(&settings.connection()),
            consumer: new_consumer(settings)?,
            assembler: TransactionAssembler::new(
                &reader.prefix,
                &reader.schemas,
                &reader.position,
            )?,
            known: Vec::new(),
            paused: BTreeSet::new(),
            batch: BinlogBatch::default(),
            waits_since: None,
            look_again: Instant::now(),
        })
    }

    /// Reads some messages and hands over whatever became whole.
    pub fn round(&mut self) -> Result<(), FeedStop> {
        if self.reader.feed.is_cancelled() {
            return Err(FeedStop::Cancelled);
        }
        if self.files.have_changed() {
            self.renew_consumer()?;
        }
        if Instant::now() >= self.look_again {
            self.assign()?;
            self.look_again =
                Instant::now() + Duration::from_millis(self.reader.settings.metadata_interval_ms);
        }
        let mut wait = POLL_TIMEOUT;
        for _ in 0..MAX_MESSAGES_PER_ROUND {
            let Some(message) = self.consumer.poll(wait) else {
                break;
            };
            wait = Duration::ZERO;
            match message {
                Ok(message) => {
                    self.reader.last_activity.now();
                    let place = FeedMessagePosition {
                        topic: message.topic(),
                        partition: message.partition(),
                        offset: message.offset(),
                    };
                    self.assembler.take(place, message.payload())?;
                }
                Err(KafkaError::PartitionEOF(_)) => {}
                Err(error) => check_error(&error)?,
            }
        }
        self.skip_control_records();
        self.ask_ends();
        self.collect()?;
        self.flush()?;
        self.check_overdue()?;
        self.pause_or_resume()
    }

    /// Goes on with a consumer that is made of new certificates; with the present one if none
    /// can be made.
    fn renew_consumer(&mut self) -> Result<(), FeedStop> {
        let consumer = match new_consumer(&self.reader.settings) {
            Ok(consumer) => consumer,
            Err(error) => {
                tracing::error!("TLS of Kafka: the present reader of the feed stays: {error}");
                return Ok(());
            }
        };
        let mut list = TopicPartitionList::new();
        for (topic, partition) in &self.known {
            let next = self.assembler.read().next(topic, *partition);
            let from = next.map_or(Offset::Beginning, Offset::Offset);
            list.add_partition_offset(topic, *partition, from)?;
        }
        if list.count() > 0 {
            consumer.incremental_assign(&list)?;
        }
        self.consumer = consumer;
        self.paused.clear();
        tracing::info!("TLS of Kafka: the reader of the feed uses the new files");
        Ok(())
    }

    fn skip_control_records(&mut self) {
        let mut read = self.assembler.read().clone();
        if consumer::skip_control_records(&self.consumer, &mut read) {
            read.partitions()
                .filter(|(_, _, next)| *next >= 0)
                .for_each(|(t, p, next)| self.assembler.passed(t, p, next));
        }
    }

    /// Asks where the partitions end, if the next transaction is whole only there.
    fn ask_ends(&mut self) {
        if !self.assembler.wants_ends() {
            return;
        }
        match consumer::ends(&self.consumer, &self.known) {
            Ok(ends) => self.assembler.set_ends(ends),
            Err(error) => tracing::warn!("a repeated transaction waits: {error:#}"),
        }
    }

    /// Collects what is whole.
    fn collect(&mut self) -> Result<(), FeedStop> {
        while let Some(ended) = self.assembler.next_whole()? {
            self.waits_since = None;
            self.batch.position = self.assembler.position();
            if let Some(item) = ended {
                self.batch.changes += item.transaction.changes.len();
                self.batch.items.push(item);
            }
            if self.batch.changes >= MAX_CHANGES_PER_BATCH {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Hands over what is whole. A full queue holds the reader back.
    pub fn flush(&mut self) -> Result<(), FeedStop> {
        if self.batch.position.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        if self.reader.feed.send(SourceMessage::Binlog(batch)) {
            Ok(())
        } else {
            Err(FeedStop::Cancelled)
        }
    }

    /// The position to go on from after a stop, once something was read at all.
    pub fn handed_over(&mut self) -> Option<String> {
        (!self.known.is_empty()).then(|| self.assembler.position())
    }
}
