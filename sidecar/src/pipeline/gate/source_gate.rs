//! The evaluator's side of a gate: how far the source is evaluated, and what waits for it.

use crate::pipeline::gate::requests::EndOffsetRequests;
use crate::stream::batches::{ControlRow, FenceToken};
use crate::stream::feed::EndOffsets;
use crate::stream::gtid::GtidSet;
use crate::stream::offsets::PartitionOffsets;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Items that wait; past it only the newest of each core and the newest heartbeat are kept,
/// which include the older ones.
const MAX_WAITING_ITEMS: usize = 4096;
/// Answers that were not reached yet; the first and the last say all that matters.
const MAX_PENDING_END_OFFSETS: usize = 64;

/// A position up to which a source is evaluated.
pub trait ReadPosition {
    /// Whether everything before `ends` is evaluated.
    fn is_past(&self, ends: &Self) -> bool;
}

impl ReadPosition for Arc<PartitionOffsets> {
    fn is_past(&self, ends: &Self) -> bool {
        self.reached(ends)
    }
}

impl ReadPosition for Vec<GtidSet> {
    fn is_past(&self, ends: &Self) -> bool {
        self.iter()
            .zip(ends)
            .all(|(read, end)| read.lacks(end) == 0)
    }
}

/// Names whose the item is: of one core's items the newest includes the older ones.
pub trait CoreKey {
    fn core_key(&self) -> &str;
}

impl CoreKey for FenceToken {
    fn core_key(&self) -> &str {
        &self.instance
    }
}

impl CoreKey for ControlRow {
    fn core_key(&self) -> &str {
        match self {
            ControlRow::Token(token) => token.core_key(),
            ControlRow::Heartbeat { .. } => "",
        }
    }
}

/// Items that one answer let pass, in their order.
#[derive(Debug)]
pub struct PassedItems<T> {
    /// The answer's moment, in µs.
    pub at_us: i64,
    pub items: Vec<T>,
}

/// Holds items until the source is read past its ends.
pub struct SourceGate<P, T> {
    requests: EndOffsetRequests,
    read: P,
    pending: VecDeque<EndOffsets<P>>,
    waiting: VecDeque<(u64, T)>,
}

impl<P: ReadPosition, T: CoreKey> SourceGate<P, T> {
    /// A gate whose source's reader begins at `read`.
    pub fn new(requests: EndOffsetRequests, read: P) -> Self {
        SourceGate {
            requests,
            read,
            pending: VecDeque::new(),
            waiting: VecDeque::new(),
        }
    }

    /// Takes an item that was just seen.
    pub fn wait(&mut self, item: T) {
        self.waiting.push_back((self.requests.ring(), item));
        if self.waiting.len() > MAX_WAITING_ITEMS {
            let newest: HashMap<String, u64> = self
                .waiting
                .iter()
                .map(|(number, item)| (item.core_key().to_owned(), *number))
                .collect();
            self.waiting
                .retain(|(number, item)| newest.get(item.core_key()) == Some(number));
        }
    }

    /// Notes that the source is evaluated up to `position`.
    pub fn read_up_to(&mut self, position: P) {
        self.read = position;
    }

    /// Takes an answer of the asker.
    pub fn answered(&mut self, answer: EndOffsets<P>) {
        self.pending.push_back(answer);
        // Whatever an older answer asks for, a newer one asks for too.
        if self.pending.len() > MAX_PENDING_END_OFFSETS {
            self.pending.drain(1..self.pending.len() - 1);
        }
    }

    /// Lets pass what the oldest answer allows, if its ends are reached; one answer a call,
    /// so that the caller can evaluate the answer's moment before its items.
    pub fn pass_next(&mut self) -> Option<PassedItems<T>> {
        if !self.read.is_past(&self.pending.front()?.ends) {
            return None;
        }
        let answer = self.pending.pop_front()?;
        let waits = |(number, _): &(u64, T)| *number > answer.seen;
        let passing = self
            .waiting
            .iter()
            .position(waits)
            .unwrap_or(self.waiting.len());
        let items = self.waiting.drain(..passing).map(|(_, item)| item);
        Some(PassedItems {
            at_us: answer.at_us,
            items: items.collect(),
        })
    }
}

impl<T> SourceGate<Vec<GtidSet>, T> {
    /// Notes that server `number` (1, 2, …) is evaluated up to `position`.
    pub fn read_up_to_part(&mut self, number: usize, position: GtidSet) {
        if let Some(read) = number.checked_sub(1).and_then(|at| self.read.get_mut(at)) {
            *read = position;
        }
    }
}

#[cfg(test)]
#[path = "source_gate_tests.rs"]
mod tests;
