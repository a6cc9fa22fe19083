//! Transactions in whose middle the connector was stopped. It goes on from its last saved
//! offset: tells the beginning again, leaves out what it had saved, and counts the rest from
//! 1. Its numbers then name two changes, and its end counts the rest alone.
//!
//! Such a transaction is whole once of each partition either all is read that was there after
//! its end, or something later: all that was saved is before that. Of each table the last
//! changes by the binlog's positions must bear the numbers that the end counts, since rows on
//! their way to another partition may come behind the end. A row that comes later yet is no
//! repetition, and is told as a change that left no rows.

use crate::debezium::FeedMessagePosition;
use crate::debezium::envelope::ChangePlace;
use crate::debezium::transactions::pending::{PendingChange, PendingTransaction, TopicContent};
use crate::debezium::transactions::{MissingEvents, TransactionAssembler};
use crate::stream::batches::UnloggedChange;
use crate::stream::change::RowChange;
use crate::stream::offsets::PartitionOffsets;
use ahash::AHashSet;
use anyhow::{Context, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Repeated transactions whose places are known after they were handed over.
const MAX_KNOWN_REPEATED: usize = 64;

/// Positions in the binlog of a repeated transaction that was handed over.
pub(super) struct KnownRepeated {
    id: String,
    places: BinlogPlaces,
}

impl TransactionAssembler {
    /// Tells whether the next transaction is repeated, and the partitions' ends are to be
    /// asked for it.
    pub fn wants_ends(&self) -> bool {
        let next = self.ended.front().and_then(|id| self.open.get(id));
        next.is_some_and(|open| open.repeated && open.until.is_none())
    }

    /// Notes the partitions' ends, asked since `wants_ends`.
    pub fn set_ends(&mut self, ends: PartitionOffsets) {
        let next = self.ended.front().and_then(|id| self.open.get_mut(id));
        if let Some(open) = next.filter(|open| open.repeated) {
            open.until = Some(ends);
        }
    }

    pub(super) fn is_repeated_whole(&self, id: &str, open: &PendingTransaction) -> bool {
        open.until.is_some() && self.repeated_lacks(id, open).is_empty()
    }

    /// Counts what a repeated transaction still lacks, per topic: messages to be read, and
    /// events that its end counts.
    pub(super) fn repeated_lacks(&self, id: &str, open: &PendingTransaction) -> MissingEvents {
        let mut lacks = self.unread(id, open);
        for (topic, count) in &open.counts {
            let found = counted_from_the_end(open, topic, *count);
            if found < *count {
                *lacks.entry(topic.clone()).or_default() += count - found;
            }
        }
        lacks.into_iter().collect()
    }

    fn unread(&self, id: &str, open: &PendingTransaction) -> BTreeMap<Arc<str>, i64> {
        // Partitions in which something later was read.
        let others = self.open.iter().filter(|(o, t)| t.begun && *o != id);
        let later: AHashSet<(&str, i32)> = others
            .flat_map(|(_, t)| t.messages.iter().map(|(topic, p, _)| (&**topic, *p)))
            .collect();
        let mut unread = BTreeMap::new();
        for (topic, partition, end) in open.until.iter().flat_map(|until| until.partitions()) {
            let left = end - self.read.next(topic, partition).unwrap_or(0);
            let has_rows = matches!(self.carries.get(topic), Some(TopicContent::Rows(_)));
            if has_rows && left > 0 && !later.contains(&(topic, partition)) {
                *unread.entry(Arc::from(topic)).or_default() += left;
            }
        }
        unread
    }

    /// Remembers the places of a repeated transaction that is handed over.
    pub(super) fn know_repeated(&mut self, id: &str, places: BinlogPlaces) {
        if self.repeated.len() == MAX_KNOWN_REPEATED {
            self.repeated.pop_front();
        }
        let id = id.to_owned();
        self.repeated.push_back(KnownRepeated { id, places });
    }

    /// Tells of a row whose transaction was handed over without it; whatever else comes after
    /// its transaction is a repetition.
    pub(super) fn late(
        &mut self,
        topic: &Arc<str>,
        table: &'static str,
        message: FeedMessagePosition<'_>,
        id: &str,
        place: ChangePlace,
    ) {
        let known = self.repeated.iter().find(|known| known.id == id);
        let is_new =
            |known: &KnownRepeated| place.binlog.is_some_and(|b| !known.places.contains(&b));
        if known.is_some_and(is_new) {
            let text =
                format!("a change of table {table} came after its transaction {id} was judged");
            let count = 1;
            let unlogged = vec![UnloggedChange { table, text, count }];
            self.without_rows(topic, message, None, unlogged);
        }
    }
}

/// Counts how many of a table's last changes, by the binlog, were told under the numbers that
/// the end counts: `count` and so on downwards.
fn counted_from_the_end(open: &PendingTransaction, topic: &Arc<str>, count: i64) -> i64 {
    let mut numbers: BTreeMap<_, BTreeSet<i64>> = BTreeMap::new();
    for (place, piece) in open.changes.iter().filter(|(_, c)| c.topic == *topic) {
        let number = i64::try_from(piece.table_order).unwrap_or(i64::MAX);
        numbers.entry(place.binlog).or_default().insert(number);
    }
    let mut found = 0;
    for numbers in numbers.values().rev() {
        if found == count || !numbers.contains(&(count - found)) {
            break;
        }
        found += 1;
    }
    found
}

/// Places of a transaction's changes in the binlog: of their events, and in them.
type BinlogPlaces = BTreeSet<(u64, u64)>;

/// Puts the changes in the binlog's order, each once, with their places.
///
/// # Errors
/// Places that can't be compared: of two servers, of a compressed transaction, or none.
pub(super) fn in_order(
    id: &str,
    open: &mut PendingTransaction,
) -> anyhow::Result<(Vec<PendingChange>, BinlogPlaces)> {
    if let (Some(one), Some(other)) = (&open.binlog_file, &open.other_file) {
        anyhow::bail!(
            "transaction {id} was told from the binlog {one}, then from its middle on from {other}: {CHECK_THE_GAP}"
        );
    }
    let mut places = BTreeSet::new();
    let mut in_order: Vec<PendingChange> = Vec::new();
    for (place, piece) in std::mem::take(&mut open.changes) {
        let at = place.binlog.with_context(|| {
            format!("transaction {id} was begun twice, and change {} names no place in the binlog: {CHECK_THE_GAP}", place.order)
        })?;
        if places.insert(at) {
            in_order.push(piece);
            continue;
        }
        let is_same = in_order
            .last()
            .is_some_and(|l| is_same(&l.change, &piece.change));
        ensure!(
            is_same,
            "transaction {id} was begun twice, and two of its changes have one place in the binlog, {}/{}: {CHECK_THE_GAP}",
            at.0,
            at.1
        );
    }
    Ok((in_order, places))
}

const CHECK_THE_GAP: &str =
    "check it by hand, then delete the checkpoint row of source changes and restart";

/// Tells whether both are one change, told twice.
pub(super) fn is_same(one: &RowChange, other: &RowChange) -> bool {
    let table = one.table.name == other.table.name && one.op == other.op;
    table && one.before == other.before && one.after == other.after
}
