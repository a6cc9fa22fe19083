//! Dead letters: business events that no rule has seen, so a person must.

pub mod repo;

use crate::stream::batches::DeadLetter;
use std::collections::VecDeque;

/// Bytes of each that are kept; whoever needs the rest reads it on Kafka.
pub const MAX_PAYLOAD_BYTES: usize = 1_000;
/// Kept per commit; of a flood, the newest. Its metric counts all.
const MAX_LETTERS_PER_COMMIT: usize = 500;
/// Rows kept in the table: about 10 MB. It may hold `PRUNE_INTERVAL_ROWS` more.
pub const MAX_TABLE_ROWS: u32 = 10_000;
/// Pruning reads an index of [`MAX_TABLE_ROWS`] entries: not for every row.
const PRUNE_INTERVAL_ROWS: usize = 1_000;

/// Dead letters that wait to be written with the next commit.
#[derive(Debug)]
pub struct DeadLetterQueue {
    waiting: VecDeque<DeadLetter>,
    since_pruned: usize,
}

impl Default for DeadLetterQueue {
    fn default() -> Self {
        // A restart may find a table that the last run had no time to prune.
        DeadLetterQueue {
            waiting: VecDeque::new(),
            since_pruned: PRUNE_INTERVAL_ROWS,
        }
    }
}

impl DeadLetterQueue {
    pub fn add(&mut self, more: impl IntoIterator<Item = DeadLetter>) {
        self.waiting.extend(more);
        let surplus = self.waiting.len().saturating_sub(MAX_LETTERS_PER_COMMIT);
        self.waiting.drain(..surplus);
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn waiting(&self) -> impl Iterator<Item = &DeadLetter> {
        self.waiting.iter()
    }

    /// Whether the table may have grown past its bound.
    pub fn prune(&self) -> bool {
        !self.waiting.is_empty() && self.since_pruned + self.waiting.len() >= PRUNE_INTERVAL_ROWS
    }

    /// Notes that all that waited are committed.
    pub fn written(&mut self) {
        self.since_pruned = if self.prune() {
            0
        } else {
            self.since_pruned + self.waiting.len()
        };
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_flood_the_newest_are_kept_and_pruning_is_rare() {
        let one = |offset| DeadLetter {
            topic: "t".to_owned(),
            partition: 0,
            offset,
            reason: "malformed",
            payload: Vec::new(),
            bytes: 0,
            event_time_us: 0,
        };
        let mut dead_letters = DeadLetterQueue::default();
        assert!(dead_letters.is_empty() && !dead_letters.prune());
        dead_letters.add((0..2_000).map(one));
        assert_eq!(
            (
                dead_letters.waiting().count(),
                dead_letters.waiting().next().map(|a| a.offset)
            ),
            (500, Some(1_500))
        );
        assert!(dead_letters.prune());
        dead_letters.written();
        for _ in 0..999 {
            dead_letters.add([one(1)]);
            assert!(!dead_letters.prune());
            dead_letters.written();
        }
        dead_letters.add([one(1)]);
        assert!(dead_letters.prune());
    }
}
