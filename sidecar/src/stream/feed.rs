//! Messages of the feed: batches, and the end offsets that gates wait for.

use crate::stream::batches::{BinlogBatch, KafkaBatch};
use crate::stream::gtid::GtidSet;
use crate::stream::offsets::PartitionOffsets;

/// Kafka's ends, asked after all tokens up to `seen` were seen.
#[derive(Debug)]
pub struct KafkaEndOffsets {
    /// Tokens numbered up to this may pass.
    pub seen: u64,
    /// Before the partitions were listed and the question was asked: everything published by
    /// then lies before `ends`.
    pub at_us: i64,
    pub ends: PartitionOffsets,
}

/// Where the other servers were, asked after all marks up to `seen` were seen.
#[derive(Debug)]
pub struct ServerEndOffsets {
    pub seen: u64,
    /// Of servers 1, 2, …
    pub ends: Vec<GtidSet>,
}

/// What the evaluator eats, in the order of arrival.
#[derive(Debug)]
pub enum SourceMessage {
    Binlog(BinlogBatch),
    Kafka(KafkaBatch),
    Passage(crate::stream::feed::KafkaEndOffsets),
    Elsewhere(crate::stream::feed::ServerEndOffsets),
}
