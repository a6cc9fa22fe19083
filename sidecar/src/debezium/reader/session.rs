//! One reading of the feed: rounds of messages, and what they make whole handed over.

use crate::debezium::FeedMessagePosition;
use crate::debezium::reader::stop::{FeedStop, check_error};
use crate::debezium::reader::{ChangeFeedReader, POLL_TIMEOUT};
use crate::debezium::transactions::TransactionAssembler;
use crate::kafka::consumer::{self, ConsumerPurpose};
use crate::stream::batches::BinlogBatch;
use crate::stream::feed::SourceMessage;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Changes per hand-over, as for the binlog.
const MAX_CHANGES_PER_BATCH: usize = 1024;
/// Messages per round, so that heads are emitted while a backlog is read.
const MAX_MESSAGES_PER_ROUND: usize = 2048;
/// One reading of the feed, from a position on.
pub struct FeedSession<'r> {
    pub reader: &'r ChangeFeedReader,
    pub consumer: BaseConsumer,
    pub assembler: TransactionAssembler,
    pub known: Vec<(String, i32)>,
    pub paused: BTreeSet<(String, i32)>,
    pub batch: BinlogBatch,
    /// Since when the next transaction waits for its pieces.
    pub waits_since: Option<(String, Instant)>,
    pub look_again: Instant,
}

impl<'r> FeedSession<'r> {
    /// A session that has no partitions yet.
    pub fn begin(reader: &'r ChangeFeedReader) -> Result<Self, FeedStop> {
        let settings = &reader.settings;
        Ok(FeedSession {
            reader,
            consumer: consumer::client(settings, "-changes", ConsumerPurpose::Committed)
                // For each of a dozen partitions: far below the 64 MB of the default.
                .set("queued.max.messages.kbytes", "8192")
                .create()?,
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
        self.collect()?;
        self.flush()?;
        self.check_overdue()?;
        self.pause_or_resume()
    }

    fn skip_control_records(&mut self) {
        let mut read = self.assembler.read().clone();
        if consumer::skip_control_records(&self.consumer, &mut read) {
            read.partitions()
                .filter(|(_, _, next)| *next >= 0)
                .for_each(|(t, p, next)| self.assembler.passed(t, p, next));
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
