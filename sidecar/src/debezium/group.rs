//! Pieces to transactions. Pure: messages go in as they are read, whole transactions
//! come out in the order in which they ended, and the position says what is left.

use super::Place;
use super::envelope::{self, Boundary, Row, Rows, Statement, Status};
use super::position::{self, Reached};
use crate::change::{Change, Transaction};
use crate::sources::offsets::Offsets;
use crate::sources::statement::{leaves_rows, note};
use crate::sources::watch::{self, Watch};
use crate::sources::{Item, Mark, Unseen};
use ahash::AHashMap;
use anyhow::{Context, bail};
use sluice_contract::schema::Schemas;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Row changes held at most, about 2 GB, as for the binlog. Past it one transaction
/// alone is larger: a manual mass change.
const MOST_CHANGES: usize = 2_000_000;

/// What a topic carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carries {
    Rows(&'static str),
    Boundaries,
    Statements,
}

#[derive(Debug, Default)]
struct Open {
    begun: bool,
    /// Events still to come, per topic; known once the end is here.
    missing: Option<BTreeMap<Arc<str>, i64>>,
    changes: BTreeMap<u64, (Arc<Change>, Option<Mark>)>,
    /// Events that came before the end, per topic.
    seen: BTreeMap<Arc<str>, i64>,
    places: Vec<Held>,
}

/// How many events each topic still owes.
pub type Lacking = Vec<(Arc<str>, i64)>;

/// Puts the pieces of one connector's feed together.
pub struct Assembler {
    watch: Watch,
    carries: AHashMap<Arc<str>, Carries>,
    /// `schema.table` as the connector counts it, to its topic.
    collections: AHashMap<String, Arc<str>>,
    transactions: Arc<str>,
    rows: Rows,
    reached: Reached,
    /// Streams of transactions (a GTID's domain or source) of which one has begun.
    streams: BTreeSet<String>,
    /// Next message of each partition.
    read: Offsets,
    open: AHashMap<String, Open>,
    /// Ended, in the order of their ends.
    ended: VecDeque<String>,
    /// Statements that left no rows, and where each was told.
    unseen: VecDeque<(Item, Held)>,
    /// Messages that no finished transaction contains yet.
    held: AHashMap<(Arc<str>, i32), BTreeSet<i64>>,
    changes: usize,
}

type Held = (Arc<str>, i32, i64);

impl Assembler {
    pub fn new(prefix: &str, schemas: &Schemas, position: &str) -> anyhow::Result<Self> {
        let reached = Reached::parse(position)?;
        let mut carries: AHashMap<Arc<str>, Carries> = AHashMap::new();
        let mut collections = AHashMap::new();
        for ((schema, table), name) in watch::tables(schemas) {
            let topic: Arc<str> = format!("{prefix}.{schema}.{table}").into();
            collections.insert(format!("{schema}.{table}"), Arc::clone(&topic));
            carries.insert(topic, Carries::Rows(name));
        }
        let transactions: Arc<str> = format!("{prefix}.transaction").into();
        carries.insert(Arc::clone(&transactions), Carries::Boundaries);
        carries.insert(prefix.into(), Carries::Statements);
        Ok(Assembler {
            watch: Watch::new(schemas),
            carries,
            collections,
            transactions,
            rows: Rows::default(),
            read: reached.offsets.clone(),
            reached,
            streams: BTreeSet::new(),
            open: AHashMap::new(),
            ended: VecDeque::new(),
            unseen: VecDeque::new(),
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
    pub fn take(&mut self, place: Place<'_>, payload: Option<&[u8]>) -> anyhow::Result<()> {
        let Some((topic, carries)) = self.carries.get_key_value(place.topic) else {
            bail!("topic {} is not of this feed", place.topic)
        };
        let (topic, carries) = (Arc::clone(topic), *carries);
        let taken = match carries {
            Carries::Rows(name) => self.row(&topic, name, place, payload),
            Carries::Boundaries => self.boundary(&topic, place, payload),
            Carries::Statements => self.statement(&topic, place, payload),
        };
        taken.with_context(|| format!("can't read on at {place}"))?;
        self.read
            .set(place.topic, place.partition, place.offset + 1);
        if self.changes > MOST_CHANGES {
            bail!(
                "can't read on at {place}: more than {MOST_CHANGES} row changes wait for the end of their transaction"
            );
        }
        Ok(())
    }

    /// Nothing is before `next` that was not taken.
    pub fn passed(&mut self, topic: &str, partition: i32, next: i64) {
        self.read.set(topic, partition, next);
    }

    pub fn read(&self) -> &Offsets {
        &self.read
    }

    fn row(
        &mut self,
        topic: &Arc<str>,
        name: &'static str,
        place: Place<'_>,
        payload: Option<&[u8]>,
    ) -> anyhow::Result<()> {
        let (transaction, order, change, mark) = match self.rows.read(name, payload)? {
            Row::Change {
                transaction,
                order,
                change,
                mark,
            } => (transaction, order, change, mark),
            Row::Truncated { gtid } => {
                let unseen = Unseen {
                    table: name,
                    text: format!("TRUNCATE TABLE {name}"),
                    count: 1,
                };
                self.without_rows(topic, place, gtid, vec![unseen]);
                return Ok(());
            }
            Row::Passed => return Ok(()),
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
        open.changes.insert(order, (Arc::new(change), mark));
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
        place: Place<'_>,
        payload: Option<&[u8]>,
    ) -> anyhow::Result<()> {
        let Some(payload) = payload else {
            return Ok(());
        };
        let boundary: Boundary = envelope::parse(payload)?;
        if self.reached.contains(&boundary.id) {
            return Ok(());
        }
        if boundary.status == Status::Begin {
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

    fn begin(&mut self, topic: &Arc<str>, place: Place<'_>, id: &str) -> anyhow::Result<()> {
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

    fn release(&mut self, places: &[Held]) {
        for (topic, partition, offset) in places {
            if let Some(held) = self.held.get_mut(&(Arc::clone(topic), *partition)) {
                held.remove(offset);
            }
        }
    }

    fn statement(
        &mut self,
        topic: &Arc<str>,
        place: Place<'_>,
        payload: Option<&[u8]>,
    ) -> anyhow::Result<()> {
        let Some(payload) = payload else {
            return Ok(());
        };
        let statement: Statement = envelope::parse(payload)?;
        let (database, ddl) = (
            statement.database.as_deref().unwrap_or_default(),
            statement.ddl.as_deref(),
        );
        let Some(ddl) = ddl
            .filter(|ddl| !statement.is_first_look() && !leaves_rows(&self.watch, database, ddl))
        else {
            return Ok(());
        };
        let mut unseen = Vec::new();
        note(&self.watch, ddl, &mut unseen);
        self.without_rows(topic, place, statement.gtid(), unseen);
        Ok(())
    }

    /// By its GTID it is the same if the connector tells it again. It is not counted as
    /// done: transactions before it may still be on their way, on another topic.
    fn without_rows(
        &mut self,
        topic: &Arc<str>,
        place: Place<'_>,
        gtid: Option<String>,
        unseen: Vec<Unseen>,
    ) {
        let position = gtid.unwrap_or_else(|| place.to_string());
        let transaction = Arc::new(Transaction {
            position: position.into(),
            changes: Vec::new(),
        });
        let held = (Arc::clone(topic), place.partition, place.offset);
        self.held
            .entry((Arc::clone(topic), place.partition))
            .or_default()
            .insert(place.offset);
        self.unseen.push_back((
            Item {
                transaction,
                marks: Vec::new(),
                unseen,
            },
            held,
        ));
    }

    /// The next whole transaction, or statement that left no rows: `Some(None)` if it
    /// changed nothing that is watched.
    pub fn next_whole(&mut self) -> anyhow::Result<Option<Option<Item>>> {
        if let Some((item, held)) = self.unseen.pop_front() {
            self.release(&[held]);
            return Ok(Some(Some(item)));
        }
        let complete = |open: &Open| {
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
        let (changes, marks): (Vec<_>, Vec<_>) = open.changes.into_values().unzip();
        let transaction = Arc::new(Transaction {
            position: id.into(),
            changes,
        });
        Ok(Some(Some(Item {
            transaction,
            marks: marks.into_iter().flatten().collect(),
            unseen: Vec::new(),
        })))
    }

    /// The transaction that the next one waits for, and its topics that lack events.
    pub fn waits_for(&self) -> Option<(&str, Lacking)> {
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
