//! Business events that were set aside: no rule has seen them, so a person must.

pub mod repo;

use std::collections::VecDeque;

/// Bytes of each that are kept; whoever needs the rest reads it on Kafka.
pub const MOST_BYTES: usize = 1_000;
/// Kept per commit; of a flood, the newest. Its metric counts all.
const MOST_AT_ONCE: usize = 500;
/// Rows kept in the table: about 10 MB. It may hold `PRUNE_EVERY` more.
pub const MOST_ROWS: u32 = 10_000;
/// Pruning reads an index of [`MOST_ROWS`] entries: not for every row.
const PRUNE_EVERY: usize = 1_000;

/// One message that is no business event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// A `Refusal`'s label.
    pub reason: &'static str,
    /// The first [`MOST_BYTES`] of it.
    pub payload: Vec<u8>,
    /// How long it was.
    pub bytes: usize,
    /// By its sender or the broker; 0 if neither said.
    pub event_time_us: i64,
}

/// What waits to be written with the next commit.
#[derive(Debug)]
pub struct Asides {
    waiting: VecDeque<Aside>,
    since_pruned: usize,
}

impl Default for Asides {
    fn default() -> Self {
        // A restart may find a table that the last run had no time to prune.
        Asides {
            waiting: VecDeque::new(),
            since_pruned: PRUNE_EVERY,
        }
    }
}

impl Asides {
    pub fn add(&mut self, more: impl IntoIterator<Item = Aside>) {
        self.waiting.extend(more);
        let surplus = self.waiting.len().saturating_sub(MOST_AT_ONCE);
        self.waiting.drain(..surplus);
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn waiting(&self) -> impl Iterator<Item = &Aside> {
        self.waiting.iter()
    }

    /// Whether the table may have grown past its bound.
    pub fn prune(&self) -> bool {
        !self.waiting.is_empty() && self.since_pruned + self.waiting.len() >= PRUNE_EVERY
    }

    /// They are committed.
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
        let one = |offset| Aside {
            topic: "t".to_owned(),
            partition: 0,
            offset,
            reason: "malformed",
            payload: Vec::new(),
            bytes: 0,
            event_time_us: 0,
        };
        let mut asides = Asides::default();
        assert!(asides.is_empty() && !asides.prune());
        asides.add((0..2_000).map(one));
        assert_eq!(
            (
                asides.waiting().count(),
                asides.waiting().next().map(|a| a.offset)
            ),
            (500, Some(1_500))
        );
        assert!(asides.prune());
        asides.written();
        for _ in 0..999 {
            asides.add([one(1)]);
            assert!(!asides.prune());
            asides.written();
        }
        asides.add([one(1)]);
        assert!(asides.prune());
    }
}
