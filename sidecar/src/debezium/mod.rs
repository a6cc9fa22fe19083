//! The database's changes from Kafka, in Debezium's envelope, instead of from the
//! binlog: how a database that has no binlog of its own to read (sharded, hosted,
//! distributed) is watched by the same rules.
//!
//! Each table has a topic, so one transaction arrives in pieces. The connector's
//! transaction topic says how many pieces there are; a transaction goes on when the
//! last one is here, in the order in which transactions ended.

pub mod envelope;
pub mod reader;
pub mod transactions;

/// A message's place on Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FeedMessagePosition<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
}

impl std::fmt::Display for FeedMessagePosition<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}
