//! Pieces to transactions. Pure: messages go in as they are read, whole transactions
//! come out in the order in which they ended, and the position says what is left.

mod boundaries;
mod pending;
mod repeated;
mod rows;
mod statements;
mod whole;

use crate::binlog::watched_tables::{self, WatchedTables};
use crate::debezium::FeedMessagePosition;
use crate::debezium::envelope::EnvelopeReader;
use crate::debezium::transactions::pending::{HeldMessage, PendingTransaction, TopicContent};
use crate::debezium::transactions::repeated::KnownRepeated;
use crate::stream::batches::WatchedTransaction;
use crate::stream::offsets::PartitionOffsets;
use crate::stream::position::FeedPosition;
use ahash::AHashMap;
use anyhow::{Context, bail};
use sluice_contract::schema::Schemas;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Row changes held at most, about 2 GB, as for the binlog. Past it one transaction
/// alone is larger: a manual mass change.
const MAX_PENDING_CHANGES: usize = 2_000_000;

/// The number of events that each topic still owes.
pub type MissingEvents = Vec<(Arc<str>, i64)>;

/// Puts the pieces of one connector's feed together.
pub struct TransactionAssembler {
    watch: WatchedTables,
    carries: AHashMap<Arc<str>, TopicContent>,
    /// `schema.table` as the connector counts it, to its topic.
    collections: AHashMap<String, Arc<str>>,
    transactions: Arc<str>,
    rows: EnvelopeReader,
    reached: FeedPosition,
    /// Streams of transactions (a GTID's domain or source) of which one has begun.
    streams: BTreeSet<String>,
    /// Next message of each partition.
    read: PartitionOffsets,
    open: AHashMap<String, PendingTransaction>,
    /// Ended, in the order of their ends.
    ended: VecDeque<String>,
    /// Handed over, though the connector was stopped within them; the newest last.
    repeated: VecDeque<KnownRepeated>,
    /// Statements that left no rows, and where each was told.
    unlogged: VecDeque<(WatchedTransaction, HeldMessage)>,
    /// Messages that no finished transaction contains yet.
    held: AHashMap<(Arc<str>, i32), BTreeSet<i64>>,
    changes: usize,
}

impl TransactionAssembler {
    pub fn new(prefix: &str, schemas: &Schemas, position: &str) -> anyhow::Result<Self> {
        let reached = FeedPosition::parse(position)?;
        let mut carries: AHashMap<Arc<str>, TopicContent> = AHashMap::new();
        let mut collections = AHashMap::new();
        for ((schema, table), name) in watched_tables::tables(schemas) {
            let topic: Arc<str> = format!("{prefix}.{schema}.{table}").into();
            collections.insert(format!("{schema}.{table}"), Arc::clone(&topic));
            carries.insert(topic, TopicContent::Rows(name));
        }
        let transactions: Arc<str> = format!("{prefix}.transaction").into();
        carries.insert(Arc::clone(&transactions), TopicContent::Boundaries);
        carries.insert(prefix.into(), TopicContent::Statements);
        Ok(TransactionAssembler {
            watch: WatchedTables::new(schemas),
            carries,
            collections,
            transactions,
            rows: EnvelopeReader::default(),
            read: reached.offsets.clone(),
            reached,
            streams: BTreeSet::new(),
            open: AHashMap::new(),
            ended: VecDeque::new(),
            repeated: VecDeque::new(),
            unlogged: VecDeque::new(),
            held: AHashMap::new(),
            changes: 0,
        })
    }

    /// Every topic of the feed.
    pub fn topics(&self) -> Vec<String> {
        let mut topics: Vec<String> = self.carries.keys().map(|topic| topic.to_string()).collect();
        topics.sort();
        topics
    }

    /// The topic that orders all others.
    pub fn transactions(&self) -> &str {
        &self.transactions
    }

    /// Takes one message. `None` is a message without a value.
    pub fn take(
        &mut self,
        place: FeedMessagePosition<'_>,
        payload: Option<&[u8]>,
    ) -> anyhow::Result<()> {
        let Some((topic, carries)) = self.carries.get_key_value(place.topic) else {
            bail!("topic {} is not of this feed", place.topic)
        };
        let (topic, carries) = (Arc::clone(topic), *carries);
        let taken = match carries {
            TopicContent::Rows(name) => self.row(&topic, name, place, payload),
            TopicContent::Boundaries => self.boundary(&topic, place, payload),
            TopicContent::Statements => self.statement(&topic, place, payload),
        };
        taken.with_context(|| format!("can't read on at {place}"))?;
        self.read
            .set(place.topic, place.partition, place.offset + 1);
        if self.changes > MAX_PENDING_CHANGES {
            bail!(
                "can't read on at {place}: more than {MAX_PENDING_CHANGES} row changes wait for the end of their transaction"
            );
        }
        Ok(())
    }

    /// Notes that nothing is before `next` that was not taken.
    pub fn passed(&mut self, topic: &str, partition: i32, next: i64) {
        self.read.set(topic, partition, next);
    }

    pub fn read(&self) -> &PartitionOffsets {
        &self.read
    }

    /// Remembers a message until its transaction is handed over, so that a restart reads it
    /// again.
    fn hold(&mut self, message: &HeldMessage) {
        let (topic, partition, offset) = message;
        self.held
            .entry((Arc::clone(topic), *partition))
            .or_default()
            .insert(*offset);
    }

    fn release(&mut self, messages: &[HeldMessage]) {
        for (topic, partition, offset) in messages {
            if let Some(held) = self.held.get_mut(&(Arc::clone(topic), *partition)) {
                held.remove(offset);
            }
        }
    }
}
