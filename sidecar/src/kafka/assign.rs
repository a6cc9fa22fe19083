//! Assignment of partitions by hand.

use crate::health::blind::BlindCause;
use crate::kafka::consumer::QUERY_TIMEOUT;
use crate::kafka::ends::{ends, partitions, since};
use crate::kafka::reader::KafkaReader;
use crate::stream::batches::KafkaBatch;
use crate::stream::offsets::PartitionOffsets;
use crate::stream::position::StartPosition;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use std::sync::atomic::Ordering;

impl KafkaReader {
    /// Adds partitions that are new. `false` if not all topics are there.
    pub(super) fn assign(
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
                // Once assigned, the asker of ends finds out by itself whether Kafka answers.
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
}
