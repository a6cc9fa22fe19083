//! Whole transactions out, in the order in which they ended.

use crate::debezium::transactions::pending::PendingTransaction;
use crate::debezium::transactions::{MissingEvents, TransactionAssembler};
use crate::stream::batches::WatchedTransaction;
use crate::stream::change::ChangeTransaction;
use crate::stream::position;
use std::sync::Arc;

impl TransactionAssembler {
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
        self.release(&open.messages);
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

    /// Counts the row changes and ends that wait.
    pub fn waiting(&self) -> usize {
        self.changes + self.ended.len()
    }

    /// The position at which a restart begins, so that everything not yet handed over is read
    /// again.
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
