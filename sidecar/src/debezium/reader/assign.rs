//! Assignment of the feed's partitions by hand.

use crate::debezium::reader::session::FeedSession;
use crate::debezium::reader::stop::FeedStop;
use crate::health::blind::BlindCause;
use crate::kafka::consumer;
use crate::stream::offsets::PartitionOffsets;
use crate::stream::position::StartPosition;
use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};

/// At the very first start pieces this far before the end are read and those of
/// transactions that had begun before are dropped: partitions end at different moments.
const FIRST_START_MARGIN: i64 = 1_000;

impl FeedSession<'_> {
    /// Adds partitions that are new.
    pub(super) fn assign(&mut self) -> Result<(), FeedStop> {
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

    /// The offsets at which a first start begins. The transactions' end is asked last: of whatever
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
}
