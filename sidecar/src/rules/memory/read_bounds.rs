//! Bounds of what a run reads: beyond them, nobody can say that a partner is missing.

use crate::rules::memory::watermarks::SourceWatermarks;

/// Rows that came before this are not said to miss their partner. Kafka's first
/// watermark is of today; if the binlog's is much older, the binlog is being read
/// again. `first` are the first watermarks of both.
pub fn judged_from(first: &SourceWatermarks, margin_us: i64) -> i64 {
    match first {
        [Some(binlog), Some(kafka)] if kafka.saturating_sub(*binlog) > margin_us => {
            binlog.saturating_add(2 * margin_us)
        }
        _ => i64::MIN,
    }
}

/// From where on a run knows everything that a partner may be among.
#[derive(Debug, Clone, Copy)]
pub struct ReadBounds {
    /// Rows that came before are not judged: they were, before the restart.
    pub judged_from_us: i64,
    /// When the first row came that is read.
    pub rows_from_us: i64,
    /// Events that came up to here were published before this run, and are read by it
    /// only for the sake of the rows.
    pub past_until_us: i64,
    /// When the first event was published that is read.
    pub events_from_us: i64,
}

impl ReadBounds {
    /// The bounds of a live run: it begins somewhere, at its checkpoint, after a gap or for
    /// the first time. A row comes after what it books happened, so the row of an event
    /// that happened after the binlog's first watermark is read for certain; of an older
    /// one it may lie before. The other way round Kafka is read back far enough; how far,
    /// `kafka_from_us` says if no checkpoint does.
    pub fn live(
        first: &SourceWatermarks,
        margin_us: i64,
        kafka_from_us: Option<i64>,
    ) -> ReadBounds {
        ReadBounds {
            judged_from_us: judged_from(first, margin_us),
            rows_from_us: first[0].unwrap_or(i64::MAX),
            past_until_us: first[1].unwrap_or(i64::MAX),
            events_from_us: kafka_from_us.unwrap_or(i64::MIN),
        }
    }

    /// Of a timeline that is there from its very beginning.
    pub fn whole(first: &SourceWatermarks, margin_us: i64) -> ReadBounds {
        let judged_from_us = judged_from(first, margin_us);
        ReadBounds {
            judged_from_us,
            rows_from_us: i64::MIN,
            past_until_us: i64::MIN,
            events_from_us: i64::MIN,
        }
    }
}
