//! How large a chunk is and how long to wait after it: the database is there for
//! orders first.

use std::time::Duration;

/// A chunk should take about this long: snapshots stay short, and a server that is
/// busy gets smaller ones.
const TARGET_CHUNK_TIME: Duration = Duration::from_millis(200);
/// Balances of a chunk: the first one, the fewest and the most. The most bounds what
/// is held in memory, some 10 MB.
const FIRST_CHUNK_ROWS: u32 = 1_000;
const MIN_CHUNK_ROWS: u32 = 1;
const MAX_CHUNK_ROWS: u32 = 20_000;
/// A row that takes this many times as long as it did at best: somebody else needs
/// the server.
const STRAIN_FACTOR: u128 = 4;
/// Longest pause for that reason.
const MAX_PAUSE: Duration = Duration::from_secs(2);

pub struct ChunkPacer {
    rows_per_second: u64,
    size: u32,
    /// Nanoseconds a row at best, since the run began.
    best: Option<u128>,
}

impl ChunkPacer {
    pub fn new(rows_per_second: u64) -> Self {
        ChunkPacer {
            rows_per_second: rows_per_second.max(1),
            size: FIRST_CHUNK_ROWS,
            best: None,
        }
    }

    pub fn size(&self) -> u32 {
        self.size
    }

    /// What is looked at next costs otherwise.
    pub fn begin(&mut self) {
        (self.size, self.best) = (FIRST_CHUNK_ROWS, None);
    }

    /// A chunk brought more than fits. `false` if it can't be made smaller.
    pub fn smaller(&mut self) -> bool {
        let smaller = (self.size / 8).max(MIN_CHUNK_ROWS);
        smaller < std::mem::replace(&mut self.size, smaller)
    }

    /// A chunk of `rows` took so long; how long to wait before the next one.
    pub fn done(&mut self, rows: u64, took: Duration) -> Duration {
        let grown = u128::from(self.size) * TARGET_CHUNK_TIME.as_micros() / took.as_micros().max(1);
        let grown = u32::try_from(grown)
            .unwrap_or(MAX_CHUNK_ROWS)
            .clamp(self.size / 4, self.size.saturating_mul(2));
        self.size = grown.clamp(MIN_CHUNK_ROWS, MAX_CHUNK_ROWS);
        let due = Duration::from_micros(
            u64::try_from(u128::from(rows) * 1_000_000 / u128::from(self.rows_per_second))
                .unwrap_or(0),
        );
        let each = took.as_nanos() / u128::from(rows.max(1));
        let strained = self.best.is_some_and(|best| each > best * STRAIN_FACTOR);
        // A small chunk is all overhead: it says nothing of rows.
        if rows >= u64::from(FIRST_CHUNK_ROWS) {
            self.best = Some(self.best.map_or(each, |best| best.min(each)));
        }
        let pause = if strained {
            took.min(MAX_PAUSE)
        } else {
            Duration::ZERO
        };
        pause.max(due.saturating_sub(took))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_follow_the_servers_speed_and_stay_bounded() {
        let mut pace = ChunkPacer::new(1_000_000);
        for _ in 0..20 {
            assert_eq!(pace.done(5_000, Duration::from_millis(10)), Duration::ZERO);
        }
        assert_eq!(pace.size(), MAX_CHUNK_ROWS);
        // Ten times slower: half the time is left to others, and chunks shrink.
        let pause = pace.done(5_000, Duration::from_millis(400));
        assert!(
            pause == Duration::from_millis(400) && pace.size() < MAX_CHUNK_ROWS,
            "{pause:?} {}",
            pace.size()
        );
        for _ in 0..20 {
            pace.done(1, Duration::from_secs(5));
        }
        assert!(pace.size() == MIN_CHUNK_ROWS && !pace.smaller());
        // No faster than is allowed.
        let mut slow = ChunkPacer::new(1_000);
        assert_eq!(
            slow.done(500, Duration::from_millis(100)),
            Duration::from_millis(400)
        );
    }
}
