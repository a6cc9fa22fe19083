//! Pieces to transactions. Pure: messages go in as they are read, whole transactions
//! come out in the order in which they ended, and the position says what is left.

use crate::binlog::statement::{leaves_rows, note_unlogged};
use crate::binlog::watched_tables::{self, WatchedTables};
use crate::debezium::FeedMessagePosition;
use crate::debezium::envelope::{
    self, BoundaryStatus, EnvelopeReader, EnvelopeRow, SchemaChange, TransactionBoundary,
};
use crate::stream::batches::{ControlRow, UnloggedChange, WatchedTransaction};
use crate::stream::change::{ChangeTransaction, RowChange};
use crate::stream::offsets::PartitionOffsets;
use crate::stream::position::{self, FeedPosition};
use ahash::AHashMap;
use anyhow::{Context, bail};
use sluice_contract::schema::Schemas;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Row changes held at most, about 2 GB, as for the binlog. Past it one transaction
/// alone is larger: a manual mass change.
const MAX_PENDING_CHANGES: usize = 2_000_000;

/// What a topic carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TopicContent {
    Rows(&'static str),
    Boundaries,
    Statements,
}

#[derive(Debug, Default)]
struct PendingTransaction {
    begun: bool,
    /// Events still to come, per topic; known once the end is here.
    missing: Option<BTreeMap<Arc<str>, i64>>,
    changes: BTreeMap<u64, (Arc<RowChange>, Option<ControlRow>)>,
    /// Events that came before the end, per topic.
    seen: BTreeMap<Arc<str>, i64>,
    places: Vec<HeldMessage>,
}

/// How many events each topic still owes.
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
    /// Statements that left no rows, and where each was told.
    unlogged: VecDeque<(WatchedTransaction, HeldMessage)>,
    /// Messages that no finished transaction contains yet.
    held: AHashMap<(Arc<str>, i32), BTreeSet<i64>>,
    changes: usize,
}

type HeldMessage = (Arc<str>, i32, i64);

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

    /// Nothing is before `next` that was not taken.
    pub fn passed(&mut self, topic: &str, partition: i32, next: i64) {
        self.read.set(topic, partition, next);
    }

    pub fn read(&self) -> &PartitionOffsets {
        &self.read
    }

    fn row(
        &mut self,
        topic: &Arc<str>,
        name: &'static str,
        place: FeedMessagePosition<'_>,
        payload: Option<&[u8]>,
    ) -> anyhow::Result<()> {
        let (transaction, order, change, control_row) = match self.rows.read(name, payload)? {
            EnvelopeRow::Change {
                transaction,
                order,
                change,
                control_row,
            } => (transaction, order, change, control_row),
            EnvelopeRow::Truncated { gtid } => {
                let unlogged = UnloggedChange {
                    table: name,
                    text: format!("TRUNCATE TABLE {name}"),
                    count: 1,
                };
                self.without_rows(topic, place, gtid, vec![unlogged]);
                return Ok(());
            }
            EnvelopeRow::Passed => return Ok(()),
        };
        // The connector tells again what it told before it was stopped.
        if self.reached.contains(&transaction) {
            return Ok(());
        }
        let open = self.open.entry(transaction).or_default();
        if let Some((before, _)) = open.changes.get(&order) {
            let same = before.table.name == change.table.name && before.op == change.op;
            anyhow::ensure!(
                same,
                "change {order} of its transaction came before, as another"
            );
            return Ok(());
        }
        open.changes.insert(order, (Arc::new(change), control_row));
        self.changes += 1;
        match &mut open.missing {
            Some(missing) => {
                let left = missing.entry(Arc::clone(topic)).or_default();
                *left -= 1;
                anyhow::ensure!(
                    *left >= 0,
                    "its transaction has more changes of table {name} than its end says"
                );
            }
            None => *open.seen.entry(Arc::clone(topic)).or_default() += 1,
        }
        open.places
            .push((Arc::clone(topic), place.partition, place.offset));
        self.held
            .entry((Arc::clone(topic), place.partition))
            .or_default()
            .insert(place.offset);
        Ok(())
    }

    fn boundary(
        &mut self,
        topic: &Arc<str>,
        place: FeedMessagePosition<'_>,
        payload: Option<&[u8]>,
    ) -> anyhow::Result<()> {
        let Some(payload) = payload else {
            return Ok(());
        };
        let boundary: TransactionBoundary = envelope::parse(payload)?;
        if self.reached.contains(&boundary.id) {
            return Ok(());
        }
        if boundary.status == BoundaryStatus::Begin {
            return self.begin(topic, place, &boundary.id);
        }
        let Some(open) = self.open.get_mut(&boundary.id).filter(|open| open.begun) else {
            // It began before we did: a first start, and not ours.
            self.forget(&boundary.id);
            return Ok(());
        };
        if open.missing.is_some() {
            return Ok(());
        }
        let mut missing: BTreeMap<Arc<str>, i64> = BTreeMap::new();
        for (collection, count) in boundary.counts(|name| self.collections.contains_key(name)) {
            let Some(topic) = self.collections.get(collection) else {
                continue;
            };
            *missing.entry(Arc::clone(topic)).or_default() += i64::try_from(count)?;
        }
        for (topic, seen) in std::mem::take(&mut open.seen) {
            *missing.entry(topic).or_default() -= seen;
        }
        if let Some((topic, _)) = missing.iter().find(|(_, left)| **left < 0) {
            bail!(
                "transaction {} has more changes of {topic} than its end says",
                boundary.id
            );
        }
        open.missing = Some(missing);
        self.ended.push_back(boundary.id);
        Ok(())
    }

    fn begin(
        &mut self,
        topic: &Arc<str>,
        place: FeedMessagePosition<'_>,
        id: &str,
    ) -> anyhow::Result<()> {
        let gtid = position::gtid(id)?;
        if self.streams.insert(position::stream(&gtid)) && !self.reached.knows_stream_of(&gtid) {
            self.reached.begin_at(&gtid)?;
            let older: Vec<String> = self
                .open
                .keys()
                .filter(|id| self.reached.contains(id))
                .cloned()
                .collect();
            older.iter().for_each(|id| self.forget(id));
        }
        let open = self.open.entry(id.to_owned()).or_default();
        if !std::mem::replace(&mut open.begun, true) {
            open.places
                .push((Arc::clone(topic), place.partition, place.offset));
            self.held
                .entry((Arc::clone(topic), place.partition))
                .or_default()
                .insert(place.offset);
        }
        Ok(())
    }

    fn forget(&mut self, id: &str) {
        let Some(open) = self.open.remove(id) else {
            return;
        };
        self.changes -= open.changes.len();
        self.release(&open.places);
    }

    fn release(&mut self, places: &[HeldMessage]) {
        for (topic, partition, offset) in places {
            if let Some(held) = self.held.get_mut(&(Arc::clone(topic), *partition)) {
                held.remove(offset);
            }
        }
    }

    fn statement(
        &mut self,
        topic: &Arc<str>,
        place: FeedMessagePosition<'_>,
        payload: Option<&[u8]>,
    ) -> anyhow::Result<()> {
        let Some(payload) = payload else {
            return Ok(());
        };
        let statement: SchemaChange = envelope::parse(payload)?;
        let (database, ddl) = (
            statement.database.as_deref().unwrap_or_default(),
            statement.ddl.as_deref(),
        );
        let Some(ddl) = ddl
            .filter(|ddl| !statement.is_first_look() && !leaves_rows(&self.watch, database, ddl))
        else {
            return Ok(());
        };
        let mut unlogged = Vec::new();
        note_unlogged(&self.watch, ddl, &mut unlogged);
        self.without_rows(topic, place, statement.gtid(), unlogged);
        Ok(())
    }

    /// By its GTID it is the same if the connector tells it again. It is not counted as
    /// done: transactions before it may still be on their way, on another topic.
    fn without_rows(
        &mut self,
        topic: &Arc<str>,
        place: FeedMessagePosition<'_>,
        gtid: Option<String>,
        unlogged: Vec<UnloggedChange>,
    ) {
        let position = gtid.unwrap_or_else(|| place.to_string());
        let transaction = Arc::new(ChangeTransaction {
            position: position.into(),
            changes: Vec::new(),
        });
        let held = (Arc::clone(topic), place.partition, place.offset);
        self.held
            .entry((Arc::clone(topic), place.partition))
            .or_default()
            .insert(place.offset);
        self.unlogged.push_back((
            WatchedTransaction {
                transaction,
                control_rows: Vec::new(),
                unlogged,
            },
            held,
        ));
    }

    /// The next whole transaction, or statement that left no rows: `Some(None)` if it
    /// changed nothing that is watched.
    pub fn next_whole(&mut self) -> anyhow::Result<Option<Option<WatchedTransaction>>> {
        if let Some((item, held)) = self.unlogged.pop_front() {
            self.release(&[held]);
            return Ok(Some(Some(item)));
        }
        let complete = |open: &PendingTransaction| {
            open.missing
                .as_ref()
                .is_some_and(|m| m.values().all(|left| *left == 0))
        };
        if !self
            .ended
            .front()
            .and_then(|id| self.open.get(id))
            .is_some_and(complete)
        {
            return Ok(None);
        }
        let Some((id, open)) = self
            .ended
            .pop_front()
            .and_then(|id| self.open.remove_entry(&id))
        else {
            return Ok(None);
        };
        self.reached.add(&position::gtid(&id)?)?;
        self.changes -= open.changes.len();
        self.release(&open.places);
        if open.changes.is_empty() {
            return Ok(Some(None));
        }
        let (changes, control_rows): (Vec<_>, Vec<_>) = open.changes.into_values().unzip();
        let transaction = Arc::new(ChangeTransaction {
            position: id.into(),
            changes,
        });
        Ok(Some(Some(WatchedTransaction {
            transaction,
            control_rows: control_rows.into_iter().flatten().collect(),
            unlogged: Vec::new(),
        })))
    }

    /// The transaction that the next one waits for, and its topics that lack events.
    pub fn waits_for(&self) -> Option<(&str, MissingEvents)> {
        let id = self.ended.front()?;
        let missing = self.open.get(id)?.missing.as_ref()?;
        let lacking = missing
            .iter()
            .filter(|(_, left)| **left > 0)
            .map(|(topic, left)| (Arc::clone(topic), *left));
        Some((id, lacking.collect()))
    }

    /// Row changes and ends that wait.
    pub fn waiting(&self) -> usize {
        self.changes + self.ended.len()
    }

    /// Where a restart begins so that everything not yet handed over is read again.
    pub fn position(&mut self) -> String {
        let mut offsets = self.read.clone();
        for ((topic, partition), held) in &self.held {
            if let Some(first) = held.first() {
                offsets.set(topic, *partition, *first);
            }
        }
        self.reached.offsets = offsets;
        self.reached.render()
    }
}
