//! Whole transactions out, in the order in which they ended.

use crate::debezium::transactions::pending::{PendingChange, PendingTransaction};
use crate::debezium::transactions::{MissingEvents, TransactionAssembler, repeated};
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
        let is_whole = |id: &String, open: &PendingTransaction| match open.repeated {
            true => self.is_repeated_whole(id, open),
            false => open
                .missing
                .as_ref()
                .is_some_and(|m| m.values().all(|left| *left == 0)),
        };
        let next = self.ended.front();
        if !next
            .and_then(|id| self.open.get_key_value(id))
            .is_some_and(|(id, open)| is_whole(id, open))
        {
            return Ok(None);
        }
        let Some((id, mut open)) = self
            .ended
            .pop_front()
            .and_then(|id| self.open.remove_entry(&id))
        else {
            return Ok(None);
        };
        let count = open.changes.len();
        // Before anything is released: if that fails, a restart reads the transaction again.
        let pieces = match open.repeated {
            true => {
                let (pieces, places) = repeated::in_order(&id, &mut open)?;
                self.know_repeated(&id, places);
                pieces
            }
            false => by_number(&mut open),
        };
        self.reached.add(&position::gtid(&id)?)?;
        self.changes -= count;
        self.release(&open.messages);
        if pieces.is_empty() {
            return Ok(Some(None));
        }
        let halves = pieces
            .into_iter()
            .map(|piece| (piece.change, piece.control_row));
        let (changes, control_rows): (Vec<_>, Vec<_>) = halves.unzip();
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
        let open = self.open.get(id)?;
        if open.repeated {
            return Some((id, self.repeated_lacks(id, open)));
        }
        let missing = open.missing.as_ref()?;
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

/// The changes in the order of the connector's numbers.
fn by_number(open: &mut PendingTransaction) -> Vec<PendingChange> {
    let mut pieces: Vec<_> = std::mem::take(&mut open.changes).into_iter().collect();
    pieces.sort_by_key(|(place, _)| place.order);
    pieces.into_iter().map(|(_, piece)| piece).collect()
}
