//! Reads a change feed: partitions by hand, offsets with the verdicts, as for
//! business events. What can't be understood makes blind; it is tried again, since
//! a person may mend it.

use crate::debezium::FeedMessagePosition;
use crate::debezium::transactions::TransactionAssembler;
use crate::health::blind::{Blind, BlindCause};
use crate::health::last_activity::LastActivity;
use crate::kafka::consumer::{self, ConsumerPurpose};
use crate::kafka::settings::KafkaSourceSettings;
use crate::stream::batches::BinlogBatch;
use crate::stream::feed::{FeedSender, SourceMessage};
use crate::stream::offsets::PartitionOffsets;
use crate::stream::position::StartPosition;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use sluice_contract::schema::Schemas;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Changes per hand-over, as for the binlog.
const MAX_CHANGES_PER_BATCH: usize = 1024;
/// Messages per round, so that heads are emitted while a backlog is read.
const MAX_MESSAGES_PER_ROUND: usize = 2048;
/// One wait for a message; also how fast cancellation is seen.
const POLL_TIMEOUT: Duration = Duration::from_millis(50);
/// What could not be read is tried again after this.
const UNREADABLE_RETRY_DELAY: Duration = Duration::from_secs(5);
/// Pieces that wait for their transactions: above it only partitions that the next
/// transaction needs are read, below it all are again. Some 200 MB.
const PAUSE_ABOVE_PIECES: usize = 100_000;
const RESUME_BELOW_PIECES: usize = 20_000;
/// A transaction that ended and whose pieces don't come for this long won't come.
const PIECES_TIMEOUT: Duration = Duration::from_secs(10);
/// At the very first start pieces this far before the end are read and those of
/// transactions that had begun before are dropped: partitions end at different moments.
const FIRST_START_MARGIN: i64 = 1_000;

pub struct ChangeFeedReader {
    pub settings: KafkaSourceSettings,
    /// The connector's `topic.prefix`.
    pub prefix: String,
    pub schemas: Schemas,
    pub position: String,
    pub start: StartPosition,
    pub feed: FeedSender,
    pub blind: Blind,
    /// The connector spoke: our own checkpoints come back through it, so that it is never
    /// silent for long.
    pub heard: LastActivity,
}

/// Why reading stopped.
enum FeedStop {
    Cancelled,
    Unreadable(String),
}

impl From<anyhow::Error> for FeedStop {
    fn from(error: anyhow::Error) -> Self {
        FeedStop::Unreadable(format!("{error:#}"))
    }
}

impl From<KafkaError> for FeedStop {
    fn from(error: KafkaError) -> Self {
        FeedStop::Unreadable(error.to_string())
    }
}

/// One reading of the feed, from a position on.
struct FeedSession<'r> {
    reader: &'r ChangeFeedReader,
    consumer: BaseConsumer,
    assembler: TransactionAssembler,
    known: Vec<(String, i32)>,
    paused: BTreeSet<(String, i32)>,
    batch: BinlogBatch,
    /// Since when the next transaction waits for its pieces.
    waits_since: Option<(String, Instant)>,
    look_again: Instant,
}

impl ChangeFeedReader {
    /// Reads until cancelled, on its own thread.
    pub fn run(mut self) -> anyhow::Result<()> {
        while !self.feed.is_cancelled() {
            let stopped = self.read();
            match stopped {
                Ok(never) => match never {},
                Err((FeedStop::Cancelled, _)) => return Ok(()),
                Err((FeedStop::Unreadable(why), reached)) => {
                    self.blind.set(BlindCause::Binlog, why);
                    if let Some(position) = reached {
                        self.position = position;
                    }
                    let begun = Instant::now();
                    while begun.elapsed() < UNREADABLE_RETRY_DELAY && !self.feed.is_cancelled() {
                        std::thread::sleep(POLL_TIMEOUT);
                    }
                }
            }
        }
        Ok(())
    }

    fn read(&self) -> Result<std::convert::Infallible, (FeedStop, Option<String>)> {
        let begun = (|| {
            Ok::<_, FeedStop>(FeedSession {
                reader: self,
                consumer: consumer::client(&self.settings, "-changes", ConsumerPurpose::Committed)
                    // For each of a dozen partitions: far below the 64 MB of the default.
                    .set("queued.max.messages.kbytes", "8192")
                    .create()?,
                assembler: TransactionAssembler::new(&self.prefix, &self.schemas, &self.position)?,
                known: Vec::new(),
                paused: BTreeSet::new(),
                batch: BinlogBatch::default(),
                waits_since: None,
                look_again: Instant::now(),
            })
        })();
        let mut run = begun.map_err(|stop| (stop, None))?;
        loop {
            if let Err(stop) = run.round() {
                // What is whole goes out whatever came after it.
                let stop = run.flush().err().unwrap_or(stop);
                return Err((stop, run.handed_over()));
            }
        }
    }
}

impl FeedSession<'_> {
    fn round(&mut self) -> Result<(), FeedStop> {
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
                    self.reader.heard.now();
                    let place = FeedMessagePosition {
                        topic: message.topic(),
                        partition: message.partition(),
                        offset: message.offset(),
                    };
                    self.assembler.take(place, message.payload())?;
                }
                Err(KafkaError::PartitionEOF(_)) => {}
                Err(error) => failed(&error)?,
            }
        }
        self.skip_control_records();
        self.collect()?;
        self.flush()?;
        self.check_overdue()?;
        self.pause_or_resume()
    }

    /// Adds partitions that are new.
    fn assign(&mut self) -> Result<(), FeedStop> {
        let found = consumer::partitions(&self.consumer, &self.assembler.topics())?;
        let ordering = found
            .iter()
            .filter(|(topic, _)| topic == self.assembler.transactions())
            .count();
        if ordering != 1 {
            return Err(FeedStop::Unreadable(format!(
                "topic {} has {ordering} partitions: only one keeps the order of transactions",
                self.assembler.transactions()
            )));
        }
        let fresh: Vec<_> = found
            .into_iter()
            .filter(|p| !self.known.contains(p))
            .collect();
        if fresh.is_empty() {
            return Ok(());
        }
        let first_ever = self.known.is_empty() && self.reader.position.is_empty();
        let begin = if first_ever && self.reader.start == StartPosition::Now {
            self.now(&fresh)?
        } else {
            PartitionOffsets::default()
        };
        let mut list = TopicPartitionList::new();
        for (topic, partition) in &fresh {
            let from = self
                .assembler
                .read()
                .next(topic, *partition)
                .or_else(|| begin.next(topic, *partition));
            list.add_partition_offset(
                topic,
                *partition,
                from.map_or(Offset::Beginning, Offset::Offset),
            )?;
            if let Some(from) = from {
                self.assembler.passed(topic, *partition, from);
            }
        }
        self.consumer.incremental_assign(&list)?;
        self.known.extend(fresh);
        tracing::info!(
            partitions = self.known.len(),
            prefix = self.reader.prefix,
            "change feed assigned"
        );
        self.reader.blind.clear(BlindCause::Binlog);
        Ok(())
    }

    /// Where a first start begins. The transactions' end is asked last: of whatever
    /// begins after it, every piece is read.
    fn now(&self, partitions: &[(String, i32)]) -> anyhow::Result<PartitionOffsets> {
        let (ordering, pieces): (Vec<_>, Vec<_>) = partitions
            .iter()
            .cloned()
            .partition(|(topic, _)| topic == self.assembler.transactions());
        let mut begin = PartitionOffsets::default();
        for (topic, partition, end) in consumer::ends(&self.consumer, &pieces)?.partitions() {
            let (low, _) =
                self.consumer
                    .fetch_watermarks(topic, partition, consumer::QUERY_TIMEOUT)?;
            begin.set(topic, partition, (end - FIRST_START_MARGIN).max(low));
        }
        for (topic, partition, end) in consumer::ends(&self.consumer, &ordering)?.partitions() {
            begin.set(topic, partition, end);
        }
        Ok(begin)
    }

    fn skip_control_records(&mut self) {
        let mut read = self.assembler.read().clone();
        if consumer::skip_control_records(&self.consumer, &mut read) {
            read.partitions()
                .filter(|(_, _, next)| *next >= 0)
                .for_each(|(t, p, next)| self.assembler.passed(t, p, next));
        }
    }

    /// Takes what is whole.
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
    fn flush(&mut self) -> Result<(), FeedStop> {
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

    /// Where to go on from after a stop, once something was read at all.
    fn handed_over(&mut self) -> Option<String> {
        (!self.known.is_empty()).then(|| self.assembler.position())
    }

    /// A transaction that never becomes whole must not look like quiet.
    fn check_overdue(&mut self) -> Result<(), FeedStop> {
        let Some((id, missing)) = self.assembler.waits_for() else {
            self.waits_since = None;
            return Ok(());
        };
        let since = match &self.waits_since {
            Some((waiting, since)) if waiting == id => *since,
            _ => Instant::now(),
        };
        self.waits_since = Some((id.to_owned(), since));
        if since.elapsed() < PIECES_TIMEOUT {
            return Ok(());
        }
        let lacks: Vec<String> = missing
            .iter()
            .map(|(topic, left)| format!("{left} of {topic}"))
            .collect();
        Err(FeedStop::Unreadable(format!(
            "transaction {id} ended {} s ago and lacks events ({}): does the connector capture the table, is its topic \
             compacted or cut short? Check the gap, then delete the checkpoint row of source changes and restart",
            PIECES_TIMEOUT.as_secs(),
            lacks.join(", ")
        )))
    }

    /// Under a backlog topics are read at different speeds: those that are ahead wait.
    fn pause_or_resume(&mut self) -> Result<(), FeedStop> {
        let waiting = self.assembler.waiting();
        if waiting < RESUME_BELOW_PIECES && self.paused.is_empty()
            || (RESUME_BELOW_PIECES..PAUSE_ABOVE_PIECES).contains(&waiting)
                && self.paused.is_empty()
        {
            return Ok(());
        }
        let wanted: Vec<String> = match self.assembler.waits_for() {
            Some((_, missing)) => missing.iter().map(|(topic, _)| topic.to_string()).collect(),
            None => vec![self.assembler.transactions().to_owned()],
        };
        let ahead = |p: &&(String, i32)| waiting >= RESUME_BELOW_PIECES && !wanted.contains(&p.0);
        let pause: BTreeSet<(String, i32)> = self.known.iter().filter(ahead).cloned().collect();
        let list = |some: Vec<&(String, i32)>| {
            let mut list = TopicPartitionList::new();
            for (topic, partition) in some {
                list.add_partition(topic, *partition);
            }
            list
        };
        let (more, less) = (
            pause.difference(&self.paused).collect(),
            self.paused.difference(&pause).collect(),
        );
        let (more, less) = (list(more), list(less));
        if more.count() > 0 {
            self.consumer.pause(&more)?;
        }
        if less.count() > 0 {
            self.consumer.resume(&less)?;
        }
        self.paused = pause;
        Ok(())
    }
}

fn failed(error: &KafkaError) -> Result<(), FeedStop> {
    let lost = [
        RDKafkaErrorCode::AutoOffsetReset,
        RDKafkaErrorCode::OffsetOutOfRange,
    ];
    if error
        .rdkafka_error_code()
        .is_some_and(|code| lost.contains(&code))
    {
        return Err(FeedStop::Unreadable(format!(
            "position of the change feed lost ({error}); check the gap with audit rules, then delete the checkpoint \
             row of source changes and restart"
        )));
    }
    // A broker that is away comes back; lag says how long it takes.
    tracing::warn!(%error, "change feed");
    Ok(())
}
