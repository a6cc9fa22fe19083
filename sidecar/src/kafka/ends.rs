//! Partitions, their ends, and how far a consumer is past what holds no message.

use crate::kafka::consumer::QUERY_TIMEOUT;
use crate::stream::offsets::PartitionOffsets;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

/// Lists every partition of the topics. A topic without partitions is an error: events
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

/// Asks for the end of every partition, in one request per broker.
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
pub fn since(
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

/// Moves past everything that the broker delivered without a message: the marks that end
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
