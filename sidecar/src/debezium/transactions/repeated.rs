//! Transactions in whose middle the connector was stopped. It goes on from its last saved
//! offset: tells the beginning again, leaves out what it had saved, and counts the rest from
//! 1. Its numbers then name two changes, and its end counts the rest alone.
//!
//! All that it had saved was on Kafka before it told the end. So such a transaction is whole once
//! all partitions are read up to where they ended after that; the binlog's own positions put
//! it in order.

use crate::debezium::envelope::ChangePlace;
use crate::debezium::transactions::pending::{PendingChange, PendingTransaction};
use crate::debezium::transactions::rows::is_same;
use crate::debezium::transactions::{MissingEvents, TransactionAssembler};
use crate::stream::offsets::PartitionOffsets;
use anyhow::ensure;
use std::collections::BTreeMap;
use std::sync::Arc;

impl TransactionAssembler {
    /// Tells whether the next transaction is repeated, and the partitions' ends are to be
    /// asked for it.
    pub fn wants_ends(&self) -> bool {
        let next = self.ended.front().and_then(|id| self.open.get(id));
        next.is_some_and(|open| open.repeated && open.until.is_none())
    }

    /// Notes where the partitions end, asked since `wants_ends`.
    pub fn set_ends(&mut self, ends: PartitionOffsets) {
        let next = self.ended.front().and_then(|id| self.open.get_mut(id));
        if let Some(open) = next.filter(|open| open.repeated) {
            open.until = Some(ends);
        }
    }

    /// Messages before the ends that are still to be read, per topic.
    pub(super) fn unread(&self, open: &PendingTransaction) -> MissingEvents {
        let mut unread: BTreeMap<&str, i64> = BTreeMap::new();
        for (topic, partition, end) in open.until.iter().flat_map(|until| until.partitions()) {
            let left = end - self.read.next(topic, partition).unwrap_or(0);
            if left > 0 {
                *unread.entry(topic).or_default() += left;
            }
        }
        unread
            .into_iter()
            .map(|(topic, left)| (Arc::from(topic), left))
            .collect()
    }
}

/// Puts the changes in the binlog's order, each once.
///
/// # Errors
/// The binlog has one place for two of them: that of a compressed transaction.
pub(super) fn in_order(
    changes: BTreeMap<ChangePlace, PendingChange>,
) -> anyhow::Result<Vec<PendingChange>> {
    let mut by_binlog: BTreeMap<(u64, u64), PendingChange> = BTreeMap::new();
    for (place, change) in changes {
        let at = place.binlog.unwrap_or((0, place.order));
        if let Some((before, _)) = by_binlog.get(&at) {
            ensure!(
                is_same(before, &change.0),
                "two changes of a repeated transaction have one place in the binlog, {}/{}",
                at.0,
                at.1
            );
            continue;
        }
        by_binlog.insert(at, change);
    }
    Ok(by_binlog.into_values().collect())
}
