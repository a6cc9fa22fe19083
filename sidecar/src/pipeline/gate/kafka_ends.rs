//! End offsets of Kafka. Pairs rest on their gate: an event published before an order is
//! evaluated before that order's fence token is announced.

use crate::health::blind::{Blind, BlindCause};
use crate::kafka::consumer;
use crate::kafka::settings::KafkaSourceSettings;
use crate::pipeline::gate::asker::EndReader;
use crate::stream::feed::{EndOffsets, SourceMessage};
use crate::stream::offsets::PartitionOffsets;
use rdkafka::consumer::BaseConsumer;
use sluice_contract::clock::now_us;
use sluice_contract::kafka::KafkaCertificates;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The pause after a failure.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// The age that a list of partitions may have. An event on one that is not known yet is not
/// waited for, so what is said about a moment is never newer than the list: with a list of
/// the reader's age (`kafka.metadata_interval_ms`) a missing half would be found seconds later. A
/// question for each topic four times a second is little, beside one for every token.
const MAX_PARTITION_LIST_AGE: Duration = Duration::from_millis(250);

/// Every partition, as it was known at a moment.
struct PartitionList {
    at: Instant,
    at_us: i64,
    partitions: Vec<(String, i32)>,
}

/// Asks the brokers for the end of every partition.
pub struct KafkaEndReader {
    settings: KafkaSourceSettings,
    consumer: BaseConsumer,
    /// Files that the client was made from.
    files: KafkaCertificates,
    list: Option<PartitionList>,
    /// Raised by the reader once it has partitions at all.
    assigned: Arc<AtomicBool>,
    blind: Blind,
}

impl KafkaEndReader {
    /// A reader with a client of its own: on the source's connection the question would
    /// wait behind a long poll.
    ///
    /// # Errors
    /// librdkafka's, if it refuses the settings.
    pub fn new(
        settings: &KafkaSourceSettings,
        assigned: Arc<AtomicBool>,
        blind: Blind,
    ) -> anyhow::Result<Self> {
        Ok(KafkaEndReader {
            files: KafkaCertificates::of(&settings.connection()),
            consumer: consumer::end_offset_client(settings, "-barrier")?,
            settings: settings.clone(),
            list: None,
            assigned,
            blind,
        })
    }

    fn ask(&mut self, now_us: i64) -> anyhow::Result<(PartitionOffsets, i64)> {
        if self.files.have_changed() {
            self.consumer = consumer::end_offset_client(&self.settings, "-barrier")?;
        }
        let fresh = |list: &PartitionList| list.at.elapsed() < MAX_PARTITION_LIST_AGE;
        let list = match self.list.take().filter(fresh) {
            Some(list) => list,
            None => PartitionList {
                at: Instant::now(),
                at_us: now_us,
                partitions: consumer::partitions(&self.consumer, &self.settings.topics)?,
            },
        };
        let ends = consumer::ends(&self.consumer, &list.partitions)?;
        Ok((ends, self.list.insert(list).at_us))
    }
}

impl EndReader for KafkaEndReader {
    type Ends = Arc<PartitionOffsets>;

    /// Pairs' deadlines pass even if no token is written.
    const UNPROMPTED: bool = true;
    const POLL_INTERVAL: Duration = Duration::from_millis(200);

    /// Nobody waits for the answer: time for a new list.
    fn idle(&mut self) {
        self.list = None;
    }

    fn read_ends(&mut self) -> Option<(Self::Ends, i64)> {
        if !self.assigned.load(Ordering::Acquire) {
            return None;
        }
        match self.ask(now_us()) {
            Ok((ends, at_us)) => {
                // The source's reader sets this cause too, while nothing is assigned: only an
                // answer clears it.
                self.blind.clear(BlindCause::Kafka);
                Some((Arc::new(ends), at_us))
            }
            Err(error) => {
                self.blind.set(BlindCause::Kafka, format!("{error:#}"));
                std::thread::sleep(RETRY_DELAY);
                None
            }
        }
    }

    fn message(answer: EndOffsets<Self::Ends>) -> SourceMessage {
        SourceMessage::KafkaEnds(answer)
    }
}
